import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Functions that compilers, and reflect-metadata, put between a class and the decorators of its methods. */
const HELPERS =
  /^(__decorate|__esDecorate|__runInitializers|__decorateClass|__decorateElement|__privateIn|_applyDecs\w*|applyDecs\w*|_?_?ts_decorate|_ts_decorate|DecorateProperty|<static_initializer>)$/;
const FRAMES = 50;

/**
 * Where a function is wrapped, or a method decorated, if that is the code of a module: `dist/articles.js:12:3`, from the
 * folder of its package.
 *
 * `undefined` if it is in a function, or if that cannot be told: a function may be called again, with other arguments,
 * and what it makes then has the same source text and other captured variables. The code of a module is run once.
 *
 * @param wrapper the stack is looked at from its caller on
 */
export function definitionPlace(wrapper: (...args: never[]) => unknown): string | undefined {
  const [first, second] = stackFrom(wrapper).filter(frame => !isHelper(frame));
  if (!first) {
    return undefined;
  }
  // compilers put a class with decorators into a function that is called at once
  const isWithin = second && isAnonymous(first) && isModuleCode(second);
  const module = isModuleCode(first) ? first : isWithin ? second : undefined;
  const file = module && fileOf(module);
  return file && `${withinPackage(file)}:${first.getLineNumber()}:${first.getColumnNumber()}`;
}

function stackFrom(wrapper: (...args: never[]) => unknown): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = FRAMES;
    Error.prepareStackTrace = (_, frames) => frames;
    const holder: { stack?: unknown } = {};
    Error.captureStackTrace(holder, wrapper);
    return Array.isArray(holder.stack) ? holder.stack : [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

function isHelper(frame: NodeJS.CallSite): boolean {
  return HELPERS.test(frame.getFunctionName() ?? '') || frame.getTypeName() === 'Reflect';
}

/** A function begins where it is written; the code of a module where the file does. */
function isModuleCode(frame: NodeJS.CallSite): boolean {
  return (
    isAnonymous(frame) &&
    !frame.isAsync() && // this one waits for what runs, and has not called it now
    frame.getEnclosingLineNumber() === 1 &&
    frame.getEnclosingColumnNumber() === 1
  );
}

function isAnonymous(frame: NodeJS.CallSite): boolean {
  return !frame.getFunctionName() && !frame.isEval() && !frame.isNative() && !frame.isConstructor();
}

/** Without what tells one evaluation of a module from another: `?v=2` */
function fileOf(frame: NodeJS.CallSite): string | undefined {
  const name = frame.getFileName() ?? undefined;
  if (!name?.startsWith('file:')) {
    return name;
  }
  const url = new URL(name);
  return fileURLToPath(new URL(url.pathname, url));
}

/** The same on all machines, wherever the program is. */
function withinPackage(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) {
      return relative(folder, file);
    }
    if (folder === dirname(folder)) {
      return file;
    }
  }
}
