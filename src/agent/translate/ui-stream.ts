import { ValidationError } from '../../errors.ts';
import { describe } from '../../model/ids.ts';
import { reading } from '../../model/json.ts';
import { checkUIStreamOptions } from '../agent-arguments.ts';
import type { AgentStreamPart } from '../stream-part.ts';
import { ChunkWriter, maskedError } from './ui-chunks.ts';
import type { UIMessageChunk } from './ui-message.ts';
import type { UIMessageStreamOptions } from './ui-options.ts';

/**
 * A turn as a stream of the chunks that `useChat` reads. The message's metadata always has the cursor of the
 * newest event it contains, after which a reader who lost the connection goes on. Tool parts are typed
 * `tool-NAME`, as those of `toUIMessages`.
 *
 * Parts are taken when they are read; cancelling the stream ends the iteration.
 *
 * @example
 * const stream = toUIMessageStream(agent.stream(input));
 * return createUIMessageStreamResponse({ stream });
 */
export function toUIMessageStream(
  parts: AsyncIterable<AgentStreamPart>,
  given: UIMessageStreamOptions = {},
): ReadableStream<UIMessageChunk> {
  const options = checkUIStreamOptions(given);
  const iterator = iteratorOf(parts);
  const writer = new ChunkWriter(options);
  let cancelled = false;

  async function next(): Promise<UIMessageChunk[] | undefined> {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) return undefined;
      const chunks = writer.write(value);
      if (chunks.length > 0) return chunks;
    }
  }

  return new ReadableStream<UIMessageChunk>(
    {
      async pull(controller) {
        let chunks: UIMessageChunk[] | undefined;
        let last = false;
        try {
          chunks = await next();
          last = chunks === undefined;
        } catch (error) {
          chunks = [...writer.end(), { type: 'error', errorText: (options.onError ?? maskedError)(error) }];
          last = true;
        }
        if (cancelled) return;
        for (const chunk of chunks ?? writer.end()) controller.enqueue(chunk);
        if (last) controller.close();
      },
      async cancel() {
        cancelled = true;
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function iteratorOf(parts: AsyncIterable<AgentStreamPart>): AsyncIterator<AgentStreamPart> {
  return reading('parts', () => {
    const begin: unknown = (parts as Partial<AsyncIterable<AgentStreamPart>> | undefined)?.[
      Symbol.asyncIterator
    ];
    if (typeof begin === 'function') return parts[Symbol.asyncIterator]();
    throw new ValidationError(
      'parts',
      `must be what agent.stream() or followAgent() gives, not ${describe(parts)}`,
    );
  });
}
