// Prompts as rendered: cut into turns by the role markers of common chat templates.

const ROLE = /<s>(system|user|assistant)\n|<\|im_start\|>(\w+)\n?|<\|start_header_id\|>(\w+)<\|end_header_id\|>\s*|<start_of_turn>(\w+)\n?|<\|(system|user|assistant)\|>\n?/g;
const END = /<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|<\|endoftext\|>|<\/s>/g;

function turns(prompt) {
  const marks = [...prompt.matchAll(ROLE)];
  if (!marks.length) return [{ role: "document", mark: "", start: 0, end: prompt.length }];
  const turnsFound = marks.map((mark, index) => ({
    role: mark.slice(1).find(Boolean),
    mark: mark[0],
    start: mark.index + mark[0].length,
    end: index + 1 < marks.length ? marks[index + 1].index : prompt.length,
  }));
  if (marks[0].index > 0) turnsFound.unshift({ role: "", mark: "", start: 0, end: marks[0].index });
  return turnsFound;
}

// What `prompt` has more than the prompt of the same question without a caveat, as [start, end].
function added(prompt, plain) {
  if (plain === undefined || plain === prompt) return [0, 0];
  const most = Math.min(prompt.length, plain.length);
  let head = 0;
  while (head < most && prompt[head] === plain[head]) head += 1;
  let tail = 0;
  while (tail < most - head && prompt.at(-1 - tail) === plain.at(-1 - tail)) tail += 1;
  return [head, prompt.length - tail];
}

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Appends prompt[start, end) to `parent`, what lies in `caveat` inside a <mark>.
function appendMarked(parent, prompt, start, end, caveat) {
  const [from, to] = caveat.map((index) => Math.min(Math.max(index, start), end));
  parent.append(prompt.slice(start, from));
  if (from < to) parent.append(element("mark", "", prompt.slice(from, to)));
  parent.append(prompt.slice(to, end));
}

// The whole prompt, character for character.
function promptElement(prompt, caveat) {
  const whole = element("div", "prompt");
  for (const turn of turns(prompt)) {
    const block = element("div", `turn ${turn.role}`);
    block.dir = "auto";
    if (turn.mark) block.append(element("span", "role", turn.mark));
    let start = turn.start;
    for (const mark of prompt.slice(turn.start, turn.end).matchAll(END)) {
      const index = turn.start + mark.index;
      appendMarked(block, prompt, start, index, caveat);
      block.append(element("span", "token", mark[0]));
      start = index + mark[0].length;
    }
    appendMarked(block, prompt, start, turn.end, caveat);
    whole.append(block);
  }
  return whole;
}

// The last user turn, which a reader of answers wants to see first.
function questionElement(prompt, caveat) {
  const all = turns(prompt);
  const turn = all.findLast((one) => one.role === "user") ?? all.at(-1);
  const ending = prompt.slice(turn.start, turn.end).search(END);
  const end = ending < 0 ? turn.end : turn.start + ending;
  const block = element("div", "asked");
  block.dir = "auto";
  appendMarked(block, prompt, Math.max(turn.start, end - 600), end, caveat);
  return block;
}
