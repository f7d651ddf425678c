/** A copy, so that the ORM gets a new object each time, as from a program. */
export function fresh<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.map(fresh) as T;
  }
  if (value instanceof Date) {
    return new Date(value) as T;
  }
  if (Buffer.isBuffer(value)) {
    return Buffer.from(value) as T;
  }
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fresh(item)])) as T;
  }
  return value;
}
