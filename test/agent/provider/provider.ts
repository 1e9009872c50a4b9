import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Answer, ProviderKind, RecordedRequest, Script } from './answer.ts';
import { anthropicFormat } from './anthropic.ts';
import type { Format } from './frames.ts';
import { modelAt, type ProviderModel } from './model.ts';
import { openaiChatFormat } from './openai-chat.ts';
import { openaiResponsesFormat } from './openai-responses.ts';
import { refuse, send, watchClient } from './send.ts';

export type * from './answer.ts';
export { modelAt, type ProviderModel } from './model.ts';
export { answersIn } from './prompt.ts';

export interface TestProvider {
  kind: ProviderKind;
  /** For `modelAt` in another process. */
  url: string;
  /** The real package's model, asking this server. */
  model: ProviderModel;
  /** What was asked, in the order of arrival. */
  requests: RecordedRequest[];
  /** Resolves with the request of this index, when it has arrived. */
  arrived(index: number): Promise<RecordedRequest>;
  /** Resolves when no answer is under way: each was sent whole, or broken off by one side. */
  idle(): Promise<void>;
  /** Destroys what is still open. */
  stop(): Promise<void>;
}

const FORMATS: Record<ProviderKind, Format> = {
  anthropic: anthropicFormat,
  'openai-responses': openaiResponsesFormat,
  'openai-chat': openaiChatFormat,
};

/** Starts a server on a free local port that answers in a provider's wire format, as the script says. */
export async function startProvider(kind: ProviderKind, script: Script): Promise<TestProvider> {
  const format = FORMATS[kind];
  const requests: RecordedRequest[] = [];
  let waiting: (() => boolean)[] = [];
  let open = 0;
  let stopping = false;
  // Each waits for a condition; whoever changes something has them looked at.
  const changed = () => {
    waiting = waiting.filter((isMet) => !isMet());
  };
  const until = <T>(find: () => T | undefined) =>
    new Promise<T>((resolve) => {
      waiting.push(() => {
        const found = find();
        if (found !== undefined) resolve(found);
        return found !== undefined;
      });
      changed();
    });

  async function respond(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(message);
    if (message.method !== 'POST' || message.url !== format.path) {
      const client = watchClient(response, () => {});
      return refuse(response, client, format, { status: 404, message: `${message.method} ${message.url}` });
    }
    const request: RecordedRequest = {
      index: requests.length,
      kind,
      path: message.url,
      headers: message.headers,
      body,
      json: parse(body),
      closedByClient: false,
    };
    requests.push(request);
    const client = watchClient(response, () => {
      request.closedByClient = !stopping;
    });
    changed();
    // A script that still waits for something is of no use to a client that has gone away.
    const answer = await Promise.race([answerTo(request, script), client.closed]);
    if (answer) await send(response, client, format, answer, request);
  }

  const server = createServer((message, response) => {
    open += 1;
    respond(message, response)
      // Only a client that goes away while it still writes its request comes here.
      .catch(() => response.destroy())
      .finally(() => {
        open -= 1;
        changed();
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`;

  return {
    kind,
    url,
    model: modelAt(kind, url),
    requests,
    arrived: (index) => until(() => requests[index]),
    idle: () => until(() => (open === 0 ? true : undefined)).then(() => {}),
    stop: () =>
      new Promise((resolve) => {
        stopping = true;
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A script's own failure is a 400, which no client tries again. */
async function answerTo(request: RecordedRequest, script: Script): Promise<Answer> {
  // Telling the whole answer at once is a wire format of its own.
  if (request.json.stream !== true) return { status: 400, message: 'Only streaming requests are answered.' };
  try {
    const answer = Array.isArray(script) ? script[request.index] : await script(request, request.index);
    return answer ?? { status: 400, message: `The script has no answer to request ${request.index}.` };
  } catch (error) {
    return { status: 400, message: `The script failed: ${error instanceof Error ? error.message : error}` };
  }
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
