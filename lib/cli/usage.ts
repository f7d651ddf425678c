export const USAGE = `Usage: mikro-orm-cacheops <command> [options]

Manages the cache of the project in this folder. Uses its MikroORM configuration (found as by @mikro-orm/cli, also in
TypeScript).

Commands:
  invalidate <what>…          drops results. <what> is one of
                                Article.34        what depends on a row, as it stands in the database now
                                Article.34,de     the same, if the key has two columns (or Article.'[34,"de"]')
                                Article           what depends on the table of an entity
                                'blog.*' 'News*'  entities by database schema, or by name
                                all               everything (asks for confirmation without --yes)
  stats                       counts what is in the store
  explain <Entity> [where]    prints the key and dependencies of a query, what is checked when its result is read again,
                              and whether it is cached now; runs it on the database if it is not. The condition is
                              JSON: '{"category":7}'
  clean-files <directory>     deletes expired files of a fileCache

Options:
  -c, --config <file>         the configuration of MikroORM
      --context <name>        selects one of several configurations in that file
      --json                  prints JSON
  -y, --yes                   does not ask for confirmation
      --op <op>               of explain: fetch (default), get, count, aggregate or exists
      --options <json>        of explain: options of the query: orderBy, limit, fields, populate and others, as in
                              '{"orderBy":{"id":"asc"},"limit":10,"populate":["author"]}'; groupBy of an aggregate
  -h, --help
  -v, --version

Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

/** Wrong usage of the command line: exit code 2. */
export class UsageError extends Error {}
