// DOM nodes, made. Text becomes text nodes, never markup.

export const byId = (id) => document.getElementById(id);

// An element with properties, attributes (names with a dash, and `role`) and children.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(label, className, onclick) {
  return make("button", { type: "button", className, onclick, textContent: label });
}
