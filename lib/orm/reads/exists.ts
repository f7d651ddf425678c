import { QueryFlag, raw } from '@mikro-orm/core';
import type { AbstractSqlDriver, QueryBuilder } from '@mikro-orm/sql';
import { patch } from '../context/patches.js';
import { currentScope, withScope } from '../context/scope.js';

/** Marks the options of a count whose caller needs to know only whether it is above 0. */
export const EXISTS = Symbol('exists');

/** Makes a driver's count with {@link EXISTS} stop at the first row. */
export function supportExists(driver: AbstractSqlDriver): void {
  patch(driver, 'driver.count for exists', count => (entityName, where, options = {}) => {
    const run = () => count.call(driver, entityName, where, options);
    // populated joins may multiply or drop rows, so that they must be counted
    const isPlain = !options.populate?.length && !options.groupBy && !options.having;
    return EXISTS in options && isPlain ? withScope({ existing: true }, run) : run();
  });
  patch(driver, 'driver.createQueryBuilder for exists', createQueryBuilder => {
    return function (...args) {
      const builder: QueryBuilder = createQueryBuilder.apply(this, args);
      if (currentScope().existing) {
        patch(builder, 'builder.getCount for exists', () => async () => {
          const query = builder.select(raw('1 as found')).limit(1).setFlag(QueryFlag.DISABLE_PAGINATE);
          return (await query.execute('get', false)) ? 1 : 0;
        });
      }
      return builder;
    };
  });
}
