// What is known of the files of messages.

export class MessageFiles {
  #files = new Map();

  add(files) {
    for (const file of files) this.#files.set(file.id, file);
  }

  // Those of these ids that are known.
  known(fileIds) {
    return (fileIds ?? []).map((id) => this.#files.get(id)).filter(Boolean);
  }

  // Asks for the list of the conversation if a file of these messages is not known.
  async learn(messages, ask) {
    const unknown = messages.find((m) => m.fileIds?.some((id) => !this.#files.has(id)));
    if (!unknown) return;
    const { conversationId } = unknown;
    const { result } = await ask({ files: { conversationId, pageSize: 200 } });
    this.add(result.files?.files ?? []);
  }
}
