import { type Dependency, type TableDependencies, WHOLE_TABLE } from '../store/store.js';
import { dependencyOf } from '../values/encode.js';
import { disjunctiveForm, type Formula, type Source } from './formula.js';

const ON_WHOLE_TABLE: Dependency = { scheme: WHOLE_TABLE, values: '' };

/**
 * What a query depends on, table by table.
 *
 * A row matters to a query if it can take part in one of its joined rows, so for each occurrence of a table the
 * condition is projected on it: the conjunctions, each reduced to what it says of this occurrence. What says
 * nothing of it leaves the whole table.
 *
 * @param occurrences how often each table stands in the SQL. Where that is not as often as the formula has sources
 *   of it, some occurrence is one that the formula does not speak of: the whole table.
 */
export function dependenciesOf(
  formula: Formula,
  sources: readonly Source[],
  occurrences: ReadonlyMap<string, number>,
  limit: number,
): TableDependencies[] {
  const conjunctions = disjunctiveForm(formula, limit);
  const result: TableDependencies[] = [];
  for (const [table, count] of occurrences) {
    const ofTable = sources.filter(source => source.table === table);
    const dependencies =
      ofTable.length === count
        ? ofTable.flatMap(source => projections(conjunctions, source))
        : [ON_WHOLE_TABLE];
    result.push({ table, dependencies: simplified(dependencies, limit) });
  }
  return result;

  function projections(all: typeof conjunctions, source: Source): Dependency[] {
    return all.map(conjunction => {
      const values = conjunction.get(source);
      return values ? dependencyOf(values) : ON_WHOLE_TABLE;
    });
  }
}

/**
 * A dependency on the whole table makes every other superfluous, and no dependency is needed twice. A condition
 * that no row can satisfy (`$in: []`) leaves none; an entry must have one.
 */
function simplified(dependencies: readonly Dependency[], limit: number): Dependency[] {
  if (dependencies.length === 0 || dependencies.some(dependency => dependency.scheme === WHOLE_TABLE)) {
    return [ON_WHOLE_TABLE];
  }
  const unique = new Map(
    dependencies.map(dependency => [`${dependency.scheme.id}:${dependency.values}`, dependency]),
  );
  return unique.size > limit ? [ON_WHOLE_TABLE] : [...unique.values()];
}
