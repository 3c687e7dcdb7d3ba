// What the message field may be completed to: commands by name, then the values of their argument.

// The words of a command that are always the same: `/set mode` of `/set mode MODE`.
function literal(command) {
  const words = (command.usage || `/${command.name}`).split(" ");
  const end = words.findIndex((word, index) => index > 0 && /[^a-z]/.test(word));
  return { text: words.slice(0, end < 0 ? undefined : end).join(" "), open: end >= 0 };
}

// Entries for what is typed so far: what to put into the field, and what to say about it.
export function suggestionsFor(typed, commands) {
  if (/^\/[a-z]*$/.test(typed)) {
    const name = typed.slice(1);
    return commands.filter((command) => command.name.startsWith(name)).map(entryOf);
  }
  return commands.flatMap((command) => choicesFor(typed, command));
}

function entryOf(command) {
  const { text, open } = literal(command);
  return {
    insert: open ? `${text} ` : text,
    exact: `/${command.name}`,
    usage: command.usage || text,
    summary: command.summary ?? "",
    allowed: Boolean(command.allowed),
  };
}

function choicesFor(typed, command) {
  const start = `${literal(command).text} `;
  if (!typed.startsWith(start)) return [];
  const begun = typed.slice(start.length);
  return (command.choices ?? [])
    .filter((choice) => choice.startsWith(begun))
    .map((choice) => {
      const insert = start + choice;
      return { insert, exact: insert, usage: choice, summary: "", allowed: true };
    });
}
