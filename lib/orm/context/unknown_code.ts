const PROCESS = crypto.randomUUID();
const numbers = new WeakMap<object, number>();
let next = 0;

/** A text for keys that identifies a value of this process, for values whose text does not distinguish them. */
export function identityOf(value: object): string {
  const number = numbers.get(value) ?? next++;
  numbers.set(value, number);
  return `${PROCESS}.${number}`;
}

const GLOBALS = `Array BigInt Boolean Buffer Date Infinity JSON Map Math NaN Number Object RegExp Set String Symbol
  Uint8Array isFinite isNaN parseFloat parseInt undefined`;
const KEYWORDS = `break case catch const continue default do else false finally for function if in instanceof let new null
  of return switch throw true try typeof var void while`;
const KNOWN = new Set(`${GLOBALS} ${KEYWORDS}`.split(/\s+/));

const NATIVE = new Set<unknown>([BigInt, Boolean, JSON.parse, Number, String, parseFloat, parseInt]);

const TOKEN =
  /\/\/.*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|(\.\s*)?([A-Za-z_$][\w$]*)|\.\.\.|[\s\S]/g;
/** A template whose expressions contain no braces. */
const TEMPLATE = /`((?:[^`\\$]|\\.|\$(?!\{)|\$\{[^{}`]*\})*)`/g;
const EXPRESSION = /\$\{([^{}`]*)\}/g;
/** The name of a function or method, and its parameters. */
const HEAD = /^(?:async\s+)?(?:function\s*)?([\w$]*)\s*\(([\w$\s,{}:.]*)\)|^([\w$]+)(?=\s*=>)/;
const DECLARED = /\b(?:const|let|var|function)\s+([\w$]+)/g;

/**
 * Whether a function may use values that its source text does not show: of variables around it, or of `this`. It does not
 * if every name in it is its parameter, its variable or a global of the language. Without a JavaScript parser, doubtful
 * cases count as captures.
 */
export function mayCapture(code: (...args: never[]) => unknown): boolean {
  if (NATIVE.has(code)) {
    return false;
  }
  const text = String(code).replace(TEMPLATE, (_, template: string) =>
    [...template.matchAll(EXPRESSION)].map(([, expression]) => `(${expression})`).join(' '),
  );
  const [, own = '', listed, single] = HEAD.exec(text) ?? [];
  const known = new Set([
    own,
    ...(listed ?? single ?? '').split(/[\s,{}:.]+/),
    ...[...text.matchAll(DECLARED)].map(([, name]) => name!),
  ]);
  for (const [token, dot, name] of text.matchAll(TOKEN)) {
    // a template may contain anything, and a slash may begin a regular expression
    if (token === '`' || token === '/' || (name && !dot && !KNOWN.has(name) && !known.has(name))) {
      return true;
    }
  }
  return false;
}

const warned = new WeakMap<object, Set<string>>();

/** Whether a warning is new for this owner. */
export function isFirst(owner: object, text: string): boolean {
  const texts = warned.get(owner) ?? new Set();
  warned.set(owner, texts);
  return !texts.has(text) && !!texts.add(text);
}
