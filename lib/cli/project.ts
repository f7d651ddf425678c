import type { EntityMetadata, MikroORM } from '@mikro-orm/core';
import { list } from '../config/check.js';
import type { EntityNames } from '../config/pattern.js';
import type { ErrorEvent } from '../observability/events.js';
import { type Cacheops, getCacheops } from '../orm/api/handle.js';
import { STORE } from '../orm/context/extension_keys.js';
import type { Store } from '../store/store.js';
import type { Output } from './output.js';
import { UsageError } from './usage.js';

/** The ORM of the project that the command is run in. */
export interface Project extends AsyncDisposable {
  readonly orm: MikroORM<any>;
  readonly cache: Cacheops;
  readonly store: Store;
  readonly entities: readonly EntityNames[];
  /** what the cache has failed at since */
  readonly errors: readonly ErrorEvent[];
  meta(className: string): EntityMetadata;
}

export interface ProjectOptions {
  readonly config: string | undefined;
  readonly context: string | undefined;
}

/** @throws UsageError without @mikro-orm/cli; the ORM's errors, if it has no configuration or that is wrong */
export async function openProject({ config, context }: ProjectOptions, output: Output): Promise<Project> {
  const { CLIHelper } = await import('@mikro-orm/cli').catch(cause => {
    throw new UsageError(
      "@mikro-orm/cli cannot be loaded, which finds the configuration. Try 'npm install --save-dev @mikro-orm/cli'.",
      { cause },
    );
  });
  await supportTypeScript(CLIHelper);
  const paths = config === undefined ? await CLIHelper.getConfigPaths() : [config];
  if (!(await existsOneOf(paths))) {
    throw new Error(
      `There is no configuration of MikroORM: looked for ${list(paths)}. Go to the project's folder, or give --config.`,
    );
  }
  const orm = await CLIHelper.getORM(context, [...paths], {
    logger: message => output.note(message),
  });
  try {
    return describe(orm);
  } catch (error) {
    await orm.close(true);
    throw error;
  }
}

function describe(orm: MikroORM<any>): Project {
  const cache = getCacheops(orm);
  const store = orm.config.getExtension<Store>(STORE)!;
  const metas = [...orm.getMetadata().getAll().values()].filter(
    meta => !meta.pivotTable && !meta.embeddable && !!meta.tableName,
  );
  const errors: ErrorEvent[] = [];
  cache.events.on('error', error => errors.push(error));
  return {
    orm,
    cache,
    store,
    errors,
    entities: metas.map(({ className, tableName, schema = 'public' }) => ({ className, tableName, schema })),
    meta: className => metas.find(meta => meta.className === className)!,
    async [Symbol.asyncDispose]() {
      await orm.close(true);
    },
  };
}

type Helper = typeof import('@mikro-orm/cli').CLIHelper;

/**
 * As `mikro-orm` does it: by a loader that the project has. Without one a configuration in JavaScript is used; and if
 * there is none, Node.js itself understands most TypeScript.
 */
async function supportTypeScript(helper: Helper): Promise<void> {
  const { preferTs, tsConfigPath, tsLoader } = helper.getSettings();
  if (preferTs === false || (await loadTypeScript(helper, tsConfigPath, tsLoader))) {
    return;
  }
  process.env.MIKRO_ORM_CLI_PREFER_TS ??= '0';
  if (process.features.typescript && !(await existsOneOf(await helper.getConfigPaths()))) {
    process.env.MIKRO_ORM_CLI_PREFER_TS = '1';
  }
}

async function existsOneOf(paths: readonly string[]): Promise<boolean> {
  const { fs } = await import('@mikro-orm/core/fs-utils');
  return paths.some(path => fs.pathExists(fs.absolutePath(path)));
}

/** It warns if there is no loader, which most projects in JavaScript do not have. */
async function loadTypeScript(
  helper: Helper,
  ...given: Parameters<Helper['registerTypeScriptSupport']>
): Promise<boolean> {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await helper.registerTypeScriptSupport(...given);
  } finally {
    console.warn = warn;
  }
}
