import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, context } from '@opentelemetry/api';

/**
 * Bound to a channel, it runs the channel's functions in a context of OpenTelemetry, so that other spans (of the
 * database's driver, for example) become children of ours.
 */
export class ContextStore extends AsyncLocalStorage<Context> {
  override run<R, Args extends any[]>(active: Context, callback: (...args: Args) => R, ...args: Args): R {
    return context.with(active, () => callback(...args));
  }
}
