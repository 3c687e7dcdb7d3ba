// One answer while it is written.

import { articleOf } from "./article.js";
import { render } from "./markdown.js";
import { ToolList } from "./tools.js";

export class LiveTurn {
  article = null;
  position = null;
  over = false;
  text = "";
  tools = new ToolList();
  #frame = 0;

  constructor(id) {
    this.id = id;
  }

  begin() {
    if (this.article) return;
    this.article = articleOf("assistant");
    this.article.body.before(this.tools.element);
    this.article.classList.add("live");
    this.article.setAttribute("aria-busy", "true");
  }

  add(text) {
    this.text += text;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      render(this.article.body, this.text);
    });
  }

  forget() {
    this.text = "";
    this.tools.clear();
    if (this.article) render(this.article.body, "");
  }

  show(text) {
    this.begin();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.text = text;
    render(this.article.body, text);
    return this.article;
  }

  settle() {
    if (this.#frame) this.show(this.text);
    this.tools.settle();
    this.article?.classList.remove("live");
    this.article?.setAttribute("aria-busy", "false");
    const bare = !this.text && this.tools.empty && !this.article?.querySelector(".note");
    if (bare) this.article?.remove();
  }
}
