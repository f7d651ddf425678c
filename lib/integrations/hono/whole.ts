import { setImmediate } from 'node:timers/promises';

/**
 * The bytes of a response whose body is complete. For a stream, which may never end, a replacement response that
 * continues where the reading has stopped.
 *
 * A response does not show which of the two it is. But a complete body can be read without waiting, and a stream
 * cannot.
 */
export async function whole(response: Response): Promise<Uint8Array | Response> {
  if (!response.body) {
    return new Uint8Array();
  }
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  const later = setImmediate('later' as const);
  for (;;) {
    const reading = reader.read();
    const read = await Promise.race([reading, later]);
    if (read === 'later') {
      return new Response(rest(chunks, reading, reader), response);
    }
    if (read.done) {
      return Buffer.concat(chunks);
    }
    chunks.push(read.value);
  }
}

function rest(
  chunks: readonly Uint8Array[],
  reading: ReturnType<typeof reader.read>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  let next: typeof reading | undefined = reading;
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(chunk);
      }
    },
    async pull(controller) {
      const { done, value } = await (next ?? reader.read());
      next = undefined;
      if (done) {
        controller.close();
      } else {
        controller.enqueue(value);
      }
    },
    cancel: reason => reader.cancel(reason),
  });
}
