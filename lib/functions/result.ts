import type { Serializer } from '../config/options.js';
import { type EntityGraph, isEntity, recordEntities } from '../orm/entity_graph.js';
import { structured } from './serializer.js';
import { assemble, checkStorable, dissect, type Place } from './storable.js';

interface Envelope {
  /** the result without its entities; with a serializer, as that has written it */
  readonly plain: unknown;
  readonly places: readonly Place[];
  readonly graph: EntityGraph | undefined;
}

/** @throws CacheopsError that names the path of what cannot be stored */
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

export async function decodeResult(
  payload: Uint8Array,
  restore: (graph: EntityGraph) => Promise<object[]>,
  serializer: Serializer | undefined,
): Promise<unknown> {
  const { plain, places, graph } = structured.decode(payload) as Envelope;
  const result = serializer ? serializer.decode(plain as string | Uint8Array) : plain;
  const entities = graph ? await restore(graph) : [];
  return assemble(
    result,
    places.map((place, i) => ({ place, entity: entities[i]! })),
  );
}
