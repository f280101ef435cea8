import { visibleText } from '@fleetflame/profile';

/**
 * Ever shorter forms of a function name, all still recognisable:
 *
 *   std::vector<int, std::allocator<int>>::push_back(int&&)
 *   std::vector<…>::push_back
 *   vector<…>::push_back
 *   push_back
 *
 * The last resort is an ellipsis at the end of the shortest form, or in its middle where there is room.
 */
export function shortForms(name: string): readonly string[] {
  const unnamed = /\+0x[0-9a-f]+$/u.exec(name);
  if (unnamed !== null) return [name, unnamed[0]];
  const forms = [name];
  const add = (form: string): void => {
    if (form !== '' && form.length < (forms.at(-1)?.length ?? 0)) forms.push(form);
  };
  const bare = withoutBrackets(withoutArguments(name));
  add(bare);
  const path = bare.replace(/^(?:[^\s/]*\/)+/u, '');
  add(path);
  let rest = path;
  for (;;) {
    const cut = /^[^\s.:]+(?:::|\.)(?=[^.:])/u.exec(rest);
    if (cut === null) break;
    rest = rest.slice(cut[0].length);
    add(rest);
  }
  return forms;
}

/** The longest form of at most `maxChars` characters; '' when not even three fit. */
export function fitName(raw: string, maxChars: number): string {
  const name = visibleText(raw);
  if (name.length <= maxChars) return name;
  if (maxChars < 3) return '';
  const forms = shortForms(name);
  for (const form of forms) if (form.length <= maxChars) return form;
  const shortest = forms.at(-1) ?? name;
  // Few characters say most at the beginning; with more of them the end helps to tell names apart.
  const head = maxChars < 12 ? maxChars - 1 : Math.ceil((maxChars - 1) * 0.65);
  const tail = maxChars - 1 - head;
  return `${shortest.slice(0, head)}…${tail > 0 ? shortest.slice(-tail) : ''}`;
}

/** The beginning of a text, with an ellipsis where it does not fit; '' when not even three characters do. */
export function cutText(raw: string, maxChars: number): string {
  const text = visibleText(raw);
  if (text.length <= maxChars) return text;
  return maxChars < 3 ? '' : `${text.slice(0, maxChars - 1)}…`;
}

/** `push_back` of `push_back(int&&)`; names that are not calls stay as they are. */
function withoutArguments(name: string): string {
  if (!name.endsWith(')') && !/\)(?: const)?(?: \[[^\]]*\])?$/u.test(name)) return name;
  let depth = 0;
  for (let i = name.lastIndexOf(')'); i > 0; i--) {
    if (name[i] === ')') depth++;
    else if (name[i] === '(' && --depth === 0) return name.slice(0, i);
  }
  return name;
}

function withoutBrackets(name: string): string {
  let out = '';
  let depth = 0;
  for (let i = 0; i < name.length; i++) {
    const char = name[i];
    if (char === '<' && i > 0 && name[i - 1] !== ' ' && !name.startsWith('operator<', i - 8)) {
      if (depth++ === 0) out += '<…>';
    } else if (char === '>' && depth > 0) depth--;
    else if (depth === 0) out += char;
  }
  return depth === 0 ? out : name;
}
