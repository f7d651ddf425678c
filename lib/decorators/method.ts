import { show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';

/** A method that may be cached. It must be async, because caching it makes its result a promise. */
export type AsyncMethod<Args extends readonly any[] = any[]> = (...args: Args) => Promise<any>;

/** A method decorator for both flavours: the standard, and `experimentalDecorators`. */
export interface MethodCacheDecorator<Self = any, Args extends readonly any[] = any[]> {
  <Method extends AsyncMethod<[...Args, ...any[]]>>(
    method: Method,
    context: ClassMethodDecoratorContext<Self, Method>,
  ): Method;
  <Method extends AsyncMethod<[...Args, ...any[]]>>(
    target: Self extends object ? Self | object : object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): TypedPropertyDescriptor<Method>;
}

type AnyMethod = (...args: any[]) => any;
type Wrap = (method: AnyMethod, name: string | symbol) => AnyMethod;

/** Are these the arguments of a method decorator, in either flavour? */
export function isOnMethod(args: readonly unknown[]): boolean {
  return methodOf(args) !== undefined;
}

/**
 * Replaces a method.
 *
 * @param args the arguments of the decorator
 * @param what the name of the decorator in messages
 * @throws CacheopsError if the decorator is not on a method
 */
export function replaceMethod(args: readonly unknown[], what: string, wrap: Wrap): unknown {
  const found = methodOf(args);
  if (!found) {
    throw new CacheopsError(`${what} on ${placeOf(args)}: it belongs on a method.`);
  }
  const { method, name, descriptor } = found;
  const wrapped = wrap(method, name);
  return descriptor ? { ...descriptor, value: wrapped } : wrapped;
}

function methodOf([target, second, third]: readonly unknown[]):
  | { method: AnyMethod; name: string | symbol; descriptor?: PropertyDescriptor }
  | undefined {
  if (typeof second === 'object' && second !== null) {
    const { kind, name } = second as ClassMethodDecoratorContext;
    return kind === 'method' && typeof target === 'function'
      ? { method: target as AnyMethod, name }
      : undefined;
  }
  const descriptor = third as PropertyDescriptor | undefined;
  return (typeof second === 'string' || typeof second === 'symbol') && typeof descriptor?.value === 'function'
    ? { method: descriptor.value, name: second, descriptor }
    : undefined;
}

function placeOf([target, second]: readonly unknown[]): string {
  if (typeof second === 'object' && second !== null) {
    const { kind, name } = second as DecoratorContext;
    return `the ${kind} ${String(name)}`;
  }
  const owner = typeof target === 'function' ? target : (target as object | null | undefined)?.constructor;
  const member = second === undefined ? '' : `.${String(second)}`;
  return owner ? `${(owner as { name: string }).name || 'a class without a name'}${member}` : show(target);
}
