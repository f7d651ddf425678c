import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, context } from '@opentelemetry/api';

/**
 * Bound to a channel, it makes what runs there run in a context of OpenTelemetry, so that the spans of others (of the
 * database's driver, say) become children of ours.
 */
export class ContextStore extends AsyncLocalStorage<Context> {
  override run<R, Args extends any[]>(active: Context, callback: (...args: Args) => R, ...args: Args): R {
    return context.with(active, () => callback(...args));
  }
}
