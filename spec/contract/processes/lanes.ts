/** Processes items in their order, a few at a time. The first error ends all lanes. */
export async function inLanes<T>(
  lanes: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  let failed = false;
  const lane = async () => {
    for (let next = left.next(); !next.done && !failed; next = left.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** A number that the environment can override, for longer runs. */
export function countFrom(variable: string, otherwise: number): number {
  const count = Number(process.env[variable] ?? otherwise);
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`${variable} is ${process.env[variable]}; give a whole number, at least 1.`);
  }
  return count;
}
