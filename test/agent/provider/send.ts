import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Answer,
  isRefused,
  type RecordedRequest,
  type RefusedAnswer,
  type StreamedAnswer,
} from './answer.ts';
import { type Encoded, type Format, type Frame, writesOf } from './frames.ts';

/** The other side of a response. */
export interface Client {
  /** Aborted once the connection is closed, by whichever side. */
  gone: AbortSignal;
  /** Resolves when `gone` is aborted. */
  closed: Promise<void>;
  /** Says that it's the server that ends the connection. */
  leave(): void;
}

/** Watches a connection from the request's arrival on; `onLeft` when the client goes away before the end. */
export function watchClient(response: ServerResponse, onLeft: () => void): Client {
  const gone = new AbortController();
  let leaving = false;
  const closed = new Promise<void>((resolve) => {
    response.once('close', () => {
      if (!leaving) onLeft();
      gone.abort();
      resolve();
    });
  });
  return {
    gone: gone.signal,
    closed,
    leave: () => {
      leaving = true;
    },
  };
}

/** Sends an answer; resolves when it has been sent whole or one side has broken it off. */
export async function send(
  response: ServerResponse,
  client: Client,
  format: Format,
  answer: Answer,
  request: RecordedRequest,
): Promise<void> {
  if (client.gone.aborted) return;
  if (isRefused(answer)) return refuse(response, client, format, answer);
  const encoded = encode(format, answer, request);
  if ('problem' in encoded) {
    return refuse(response, client, format, { status: 400, message: encoded.problem });
  }
  response.socket?.setNoDelay(true);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  response.flushHeaders();

  const { sent, end, broken } = plan(encoded, answer);
  for (const [index, frame] of sent.entries()) {
    if (frame.chunk && answer.chunkMs)
      await sleep(answer.chunkMs, undefined, { signal: client.gone }).catch(() => {});
    for (const bytes of writesOf(frame, index)) {
      if (client.gone.aborted) return;
      await write(response, client, bytes);
    }
  }
  if (end === 'cut') {
    // Half of the next frame goes out first: a reader must not take it for a whole one.
    await write(response, client, writesOf(broken, 0)[0]);
    client.leave();
    response.destroy();
  } else if (end === 'hang') {
    await client.closed;
  } else {
    await finish(response, client);
  }
}

/** Sends an HTTP error. */
export function refuse(
  response: ServerResponse,
  client: Client,
  format: Format,
  { status, retryAfterSeconds, message = `Refused with ${status}.` }: RefusedAnswer,
): Promise<void> {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  });
  return finish(response, client, JSON.stringify(format.errorBody(status, message)));
}

async function finish(response: ServerResponse, client: Client, body = ''): Promise<void> {
  client.leave();
  const finished = new Promise<void>((resolve) => {
    response.end(body, resolve);
  });
  await Promise.race([finished, client.closed]);
}

/** A mistake of the script must not look like a fault of the connection. */
function encode(
  format: Format,
  answer: StreamedAnswer,
  request: RecordedRequest,
): Encoded | { problem: string } {
  const { cutAfter, hangAfter, errorAfter, endAfter } = answer;
  const ends = [cutAfter, hangAfter, errorAfter, endAfter].filter((after) => after !== undefined);
  if (ends.length > 1) return { problem: 'An answer ends in one way: cut, hang, error or end.' };
  try {
    return format.encode(answer, request);
  } catch (error) {
    return { problem: `The answer can't be written: ${error}` };
  }
}

interface Plan {
  sent: Frame[];
  end: 'whole' | 'cut' | 'hang';
  /** The frame that a cut goes through. */
  broken: Frame;
}

function plan({ opening, content, closing, error }: Encoded, answer: StreamedAnswer): Plan {
  const { cutAfter, hangAfter, errorAfter, endAfter } = answer;
  const after = cutAfter ?? hangAfter ?? errorAfter ?? endAfter;
  if (after === undefined) return { sent: [...opening, ...content, ...closing], end: 'whole', broken: error };
  const chunks = content.flatMap((frame, index) => (frame.chunk ? [index + 1] : []));
  const last = after === 0 ? 0 : (chunks[after - 1] ?? content.length);
  const sent = [...opening, ...content.slice(0, last)];
  if (errorAfter !== undefined) sent.push(error);
  const broken = content[last] ?? closing[0] ?? error;
  return { sent, end: cutAfter !== undefined ? 'cut' : hangAfter !== undefined ? 'hang' : 'whole', broken };
}

/** Each write leaves on its own: the next one waits until the last has been handed to the system. */
async function write(response: ServerResponse, client: Client, bytes: Buffer): Promise<void> {
  const handedOver = new Promise<void>((resolve) => {
    response.write(bytes, () => resolve());
  });
  await Promise.race([handedOver, client.closed]);
  await new Promise(setImmediate);
}
