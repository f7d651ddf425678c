import type { Dependency, TableDependencies } from '../values/scheme.js';
import { idOf } from './keys.js';
import type { Seal } from './store.js';

/** Dependencies, with the stamps that they had before the data was read. */
export interface Sealed {
  readonly tables: readonly TableDependencies[];
  readonly seal: Seal;
}

/** The dependencies of several results, each once. */
export function joinTables(parts: readonly (readonly TableDependencies[])[]): TableDependencies[] {
  const joined = new Map<string, Map<string, Dependency>>();
  for (const { table, dependencies } of parts.flat()) {
    const known = joined.get(table) ?? new Map<string, Dependency>();
    joined.set(table, known);
    for (const dependency of dependencies) {
      known.set(idOf(dependency), dependency);
    }
  }
  return Array.from(joined, ([table, dependencies]) => ({ table, dependencies: [...dependencies.values()] }));
}

/** Gives the seals of results whose dependencies are among these. */
export function splitSeal({ tables, seal }: Sealed): (part: readonly TableDependencies[]) => Seal {
  const stamps = seal.split(',');
  const stampOf = new Map<string, Map<string, string>>();
  let at = 0;
  for (const { table, dependencies } of tables) {
    stampOf.set(
      table,
      new Map([['', stamps[at++]!], ...dependencies.map(each => [idOf(each), stamps[at++]!] as const)]),
    );
  }
  return part =>
    part
      .flatMap(({ table, dependencies }) => {
        const own = stampOf.get(table)!;
        return [own.get('')!, ...dependencies.map(each => own.get(idOf(each))!)];
      })
      .join();
}

/**
 * Joins the dependencies of several results, each once, with their stamps.
 *
 * @returns `undefined` if two of them have different stamps for one dependency: a write came between them, so neither
 *   stamp is right for both
 */
export function joinSeals(parts: readonly Sealed[]): Sealed | undefined {
  const joined = new Map<string, { stamp: string; dependencies: Map<string, [Dependency, string]> }>();
  for (const { tables, seal } of parts) {
    const stamps = seal.split(',');
    let at = 0;
    for (const { table, dependencies } of tables) {
      const stamp = stamps[at++]!;
      const known = joined.get(table) ?? { stamp, dependencies: new Map() };
      joined.set(table, known);
      if (known.stamp !== stamp) {
        return undefined;
      }
      for (const dependency of dependencies) {
        const own = stamps[at++]!;
        const id = idOf(dependency);
        const [, other] = known.dependencies.get(id) ?? [];
        if (other !== undefined && other !== own) {
          return undefined;
        }
        known.dependencies.set(id, [dependency, own]);
      }
    }
    if (at !== stamps.length) {
      return undefined;
    }
  }
  return {
    tables: Array.from(joined, ([table, { dependencies }]) => ({
      table,
      dependencies: Array.from(dependencies.values(), ([dependency]) => dependency),
    })),
    seal: Array.from(joined.values(), ({ stamp, dependencies }) => [
      stamp,
      ...Array.from(dependencies.values(), ([, own]) => own),
    ])
      .flat()
      .join(),
  };
}
