export const USAGE = `Usage: mikro-orm-cacheops <command> [options]

Looks after the cache of the project in this folder, as its MikroORM configuration has it (found as by @mikro-orm/cli,
in TypeScript too).

Commands:
  invalidate <what>…          drops results. What may be
                                Article.34        what depends on a row, as it stands in the database now
                                Article.34,de     the same, if the key has two columns (or Article.'[34,"de"]')
                                Article           whatever depends on the table of an entity
                                'blog.*' 'News*'  entities by database schema, or by name
                                all               everything (asks, unless there is --yes)
  stats                       what is in the store
  explain <Entity> [where]    what a query depends on, what would drop its result, and whether it is cached now;
                              asks the database if it is not. The condition is JSON: '{"category":7}'
  clean-files <directory>     removes from the directory of a fileCache what is over

Options:
  -c, --config <file>         the configuration of MikroORM
      --context <name>        which one of several in that file
      --json                  answers in JSON
  -y, --yes                   does not ask
      --op <op>               of explain: fetch (default), get or count
      --options <json>        of explain: options of the query, such as '{"orderBy":{"id":"asc"},"limit":10}'
  -h, --help
  -v, --version

Exit codes: 0 done, 1 failed, 2 used wrongly.
`;

/** The command line makes no sense: exit code 2. */
export class UsageError extends Error {}
