import { CacheopsError } from '../config/error.js';
import type { Serializer } from '../config/options.js';
import { type EntityGraph, isEntity, recordEntities } from '../orm/computed/entity_graph.js';
import { structured } from '../orm/computed/serializer.js';
import { assemble, checkStorable, dissect, type Place } from '../orm/computed/storable.js';

interface Envelope {
  /** the result without its entities; if there is a serializer, encoded by it */
  readonly plain: unknown;
  readonly places: readonly Place[];
  readonly graph: EntityGraph | undefined;
}

/** @throws CacheopsError that names the path of a value that cannot be stored */
export function encodeResult(result: unknown, serializer: Serializer | undefined): Uint8Array {
  const { plain, entities } = dissect(result, isEntity, 'result');
  const places = entities.map(({ place }) => place);
  const graph =
    entities.length > 0
      ? recordEntities(
          entities.map(({ entity }) => entity),
          i => `result${places[i]!.map(step => `[${JSON.stringify(step)}]`).join('')}`,
          checkStorable,
        )
      : undefined;
  const envelope: Envelope = { plain: serializer ? serializer.encode(plain) : plain, places, graph };
  return structured.encode(envelope) as Uint8Array;
}

/** @throws CacheopsError, or an error of the serializer, if the payload is no result. Then nothing is restored. */
export async function decodeResult(
  payload: Uint8Array,
  restore: (graph: EntityGraph) => Promise<object[]>,
  serializer: Serializer | undefined,
): Promise<unknown> {
  const { plain, places, graph } = checkEnvelope(structured.decode(payload));
  const result = serializer ? serializer.decode(plain as string | Uint8Array) : plain;
  if (!places.every(place => isFree(result, place))) {
    throw damaged('the places of its entities');
  }
  const entities = graph ? await restore(graph) : [];
  return assemble(
    result,
    places.map((place, i) => ({ place, entity: entities[i]! })),
  );
}

function checkEnvelope(decoded: unknown): Envelope {
  if (
    typeof decoded !== 'object' ||
    decoded === null ||
    Object.keys(decoded).join() !== 'plain,places,graph'
  ) {
    throw damaged('its parts');
  }
  const { places, graph } = decoded as Envelope;
  if (!Array.isArray(places) || !places.every(isPlace)) {
    throw damaged('the places of its entities');
  }
  // restoring the graph checks the rest
  if (places.length !== (graph?.roots?.length ?? 0)) {
    throw damaged('the number of its entities');
  }
  return decoded as Envelope;
}

function isPlace(place: unknown): place is Place {
  return (
    Array.isArray(place) &&
    place.every(step => typeof step === 'string' || (Number.isSafeInteger(step) && step >= 0))
  );
}

/** There must be `null` in the place of an entity. */
function isFree(result: unknown, place: Place): boolean {
  let at = result;
  for (const step of place) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) {
      return false;
    }
    at = (at as Record<string | number, unknown>)[step];
  }
  return at === null;
}

function damaged(what: string): CacheopsError {
  return new CacheopsError(`A stored result cannot be read: ${what}.`);
}
