import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Functions of compilers and reflect-metadata that call the decorators of methods. */
const HELPERS =
  /^(__decorate|__esDecorate|__runInitializers|__decorateClass|__decorateElement|__privateIn|_applyDecs\w*|applyDecs\w*|_?_?ts_decorate|_ts_decorate|DecorateProperty|<static_initializer>)$/;
const FRAMES = 50;

/**
 * The place where a function is wrapped or a method is decorated, if it is module code: `dist/articles.js:12:3`, relative
 * to the folder of its package. Module code runs once.
 *
 * `undefined` if it is in a function, or not known: a function may be called again, and then makes a function with the
 * same source text and other captured variables.
 *
 * @param wrapper the search begins at its caller
 */
export function definitionPlace(wrapper: (...args: never[]) => unknown): string | undefined {
  const [first, second] = stackFrom(wrapper).filter(frame => !isHelper(frame));
  if (!first) {
    return undefined;
  }
  // compilers put a class with decorators into a function that they call at once
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

/** Module code begins at the first character of a file. */
function isModuleCode(frame: NodeJS.CallSite): boolean {
  return (
    isAnonymous(frame) &&
    !frame.isAsync() && // an async frame awaits the code that runs, and has not called it
    frame.getEnclosingLineNumber() === 1 &&
    frame.getEnclosingColumnNumber() === 1
  );
}

function isAnonymous(frame: NodeJS.CallSite): boolean {
  return !frame.getFunctionName() && !frame.isEval() && !frame.isNative() && !frame.isConstructor();
}

/** Without the query (`?v=2`), which differs between evaluations of a module. */
function fileOf(frame: NodeJS.CallSite): string | undefined {
  const name = frame.getFileName() ?? undefined;
  if (!name?.startsWith('file:')) {
    return name;
  }
  const url = new URL(name);
  return fileURLToPath(new URL(url.pathname, url));
}

/** Relative, so that it is the same wherever the program is installed. */
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
