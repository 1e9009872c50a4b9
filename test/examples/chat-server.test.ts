import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createExtendedStore, type ExtendedStore } from '../../src/index.ts';
import { onProcessExit } from '../support/exit-hooks.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { exampleProgram } from './run.ts';

type Chat = UIMessage<{ cursor: number }>;

let directory: string;
let dbPath: string;
let url: string;
/** Ends the server as an operator does, and fails if it doesn't end well. */
let stop: () => Promise<void>;

async function prepare(): Promise<void> {
  directory = await makeTemporaryDirectory();
  dbPath = join(directory, 'chat.db');
}

async function cleanUp(): Promise<void> {
  await stop();
  await removeDirectory(directory);
}

async function serve(env: Record<string, string> = {}): Promise<void> {
  const program = await exampleProgram('examples/chat-server.ts');
  const child = spawn(process.execPath, [program, dbPath], {
    env: { ...process.env, ANTHROPIC_API_KEY: '', OPENAI_API_KEY: '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const callOff = onProcessExit(() => child.kill('SIGKILL'));
  const errors = text(child.stderr);
  const closed = once(child, 'close').finally(callOff);
  let stopped: Promise<void> | undefined;
  stop = () => {
    stopped ??= (async () => {
      child.kill('SIGTERM');
      const [code] = await closed;
      expect([code, await errors]).toEqual([0, '']);
    })();
    return stopped;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    url = /^Listening on (.+)$/.exec(line)?.[1] ?? '';
    if (url !== '') return;
  }
  throw new Error(`The server didn't start: ${await errors}`);
}

async function createAgent(body: object = {}): Promise<string> {
  const created = (await (await post('/agents', body)).json()) as { agentId: string };
  return created.agentId;
}

function post(path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

function asks(question: string, id = 'm1'): Chat {
  return { id, role: 'user', parts: [{ type: 'text', text: question }] };
}

/** A browser's side of a chat: the SDK's own transport and reader. */
class Client {
  readonly agentId: string;
  /** The answer as it was at the newest cursor: what a client keeps to go on from. */
  kept: Chat | undefined;
  message: Chat | undefined;

  constructor(agentId: string) {
    this.agentId = agentId;
  }

  /** Sends the end of a conversation, and reads the answer until `enough`. */
  async send(messages: Chat[], enough: (message: Chat) => boolean = () => false): Promise<Chat | undefined> {
    const leave = new AbortController();
    const stream = await this.#transport().sendMessages({
      trigger: 'submit-message',
      chatId: this.agentId,
      messageId: undefined,
      messages,
      abortSignal: leave.signal,
    });
    const last = messages.at(-1);
    await this.#read(stream, last?.role === 'assistant' ? last : undefined, enough, leave);
    return this.message;
  }

  /** Goes on after the newest cursor. False when there is nothing to expect. */
  async goOn(enough: (message: Chat) => boolean = () => false): Promise<boolean> {
    return this.#reconnect(this.kept, `?since=${this.kept?.metadata?.cursor}`, enough);
  }

  /** What `useChat` does after a reload: begins the answer anew. */
  async replay(enough: (message: Chat) => boolean = () => false): Promise<boolean> {
    return this.#reconnect(undefined, '', enough);
  }

  async #reconnect(
    message: Chat | undefined,
    query: string,
    enough: (message: Chat) => boolean,
  ): Promise<boolean> {
    const leave = new AbortController();
    const transport = this.#transport(query);
    const stream = await transport.reconnectToStream({
      chatId: this.agentId,
      abortSignal: leave.signal,
    });
    if (stream !== null) await this.#read(stream, message, enough, leave);
    return stream !== null;
  }

  #transport(query = ''): DefaultChatTransport<Chat> {
    return new DefaultChatTransport<Chat>({
      api: `${url}/agents/${this.agentId}/messages`,
      prepareReconnectToStreamRequest: () => ({ api: `${url}/agents/${this.agentId}/stream${query}` }),
    });
  }

  async #read(
    stream: ReadableStream<UIMessageChunk>,
    message: Chat | undefined,
    enough: (message: Chat) => boolean,
    leave: AbortController,
  ): Promise<void> {
    const failures: unknown[] = [];
    const onError = (error: unknown) => failures.push(error);
    const start = message && { message: structuredClone(message) };
    for await (const state of readUIMessageStream<Chat>({ stream, onError, ...start })) {
      if (leave.signal.aborted) continue;
      this.message = state;
      if (state.metadata?.cursor !== this.kept?.metadata?.cursor) this.kept = state;
      if (enough(state)) leave.abort();
    }
    if (!leave.signal.aborted) expect(failures).toEqual([]);
  }
}

function textOf(message: Chat | undefined): string {
  return (message?.parts ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('|');
}

/** Whether an answer that counts has come this far. */
function hasCounted(to: number): (message: Chat) => boolean {
  return (message) => textOf(message).split(' ').length > to;
}

function numbers(to: number): string {
  return Array.from({ length: to }, (_, n) => n + 1).join(' ');
}

/** The conversation as a page loads it. */
async function load(agentId: string): Promise<Loaded> {
  return (await fetch(`${url}/agents/${agentId}`)).json() as Promise<Loaded>;
}

interface Loaded {
  status: string;
  messages: Chat[];
  approvals: unknown[];
}

/** That what was streamed is what is loaded. */
async function expectLoaded(agentId: string, streamed: Chat | undefined): Promise<void> {
  const { messages, approvals } = await load(agentId);
  const waits = approvals.length > 0;
  const loaded = messages.at(-1);
  expect(streamed?.id).toBe(loaded?.id);
  const comparable = (message: Chat | undefined) =>
    JSON.parse(JSON.stringify(message?.parts ?? [])).map((part: Record<string, unknown>) => ({
      ...part,
      // A granted approval is told with the loaded conversation only.
      ...(waits ? {} : { approval: undefined }),
    }));
  expect(comparable(streamed)).toEqual(comparable(loaded));
}

async function inStore<T>(work: (store: ExtendedStore) => Promise<T>): Promise<T> {
  await using store = await createExtendedStore({ type: 'sqlite', dbPath });
  return await work(store);
}

describe('an answer', () => {
  beforeAll(async () => {
    await prepare();
    await serve();
  });
  afterAll(cleanUp);

  it('is streamed with its tools, and loaded as it was streamed', async () => {
    const client = new Client(await createAgent({ metadata: { customer: 7 } }));
    const message = await client.send([asks('What about order 21?')]);
    expect(message?.parts.map(({ type }) => type)).toEqual([
      ...['step-start', 'text', 'tool-find_order'],
      ...['step-start', 'text'],
    ]);
    expect(message?.parts[2]).toMatchObject({ state: 'output-available', output: { order: 21, paid: 42 } });
    expect(textOf(message)).toContain('Order 21: {"order":21,"paid":42}');
    await expectLoaded(client.agentId, message);

    const next = await client.send([asks('Hello?', 'm2')]);
    expect(textOf(next)).toBe('You said: Hello?');
    await expectLoaded(client.agentId, next);
    expect((await load(client.agentId)).messages.map(({ id }) => id)).toEqual([
      ...['msg-0', 'msg-1', 'msg-4', 'msg-5'],
    ]);
  });

  it('waits for an approval, and goes on when somebody decides', async () => {
    const client = new Client(await createAgent());
    const path = `/agents/${client.agentId}`;
    const asked = await client.send([asks('Refund order 8.')]);
    const part = asked?.parts.at(-1);
    expect(part).toMatchObject({ type: 'tool-refund', state: 'approval-requested', approval: { id: '1' } });
    await expectLoaded(client.agentId, asked);
    const { approvals } = await load(client.agentId);
    expect(approvals).toEqual([
      { toolCallId: 'call_2', approvalId: '1', toolName: 'refund', input: { order: 8 } },
    ]);
    expect(await client.goOn()).toBe(false);
    const early = await post(`${path}/messages`, { messages: [asks('And?', 'm2')] });
    expect([early.status, await early.json()]).toMatchObject([409, { error: 'APPROVAL_REQUIRED' }]);

    const decision = { toolCallId: 'call_2', approvalId: '1', approved: true, by: 'ana', note: 'fine' };
    const decided = await post(`${path}/approvals`, decision);
    expect([decided.status, await decided.json()]).toEqual([
      200,
      { toolCallId: 'call_2', approvalId: '1', state: 'approved' },
    ]);
    expect((await post(`${path}/approvals`, decision)).status).toBe(409);
    expect(await client.goOn()).toBe(true);
    expect(textOf(client.message)).toBe('I look it up.|Done: order 8 is paid back.');
    await expectLoaded(client.agentId, client.message);
    const [call] = await inStore((store) =>
      store.queryToolCalls({ agentId: client.agentId, toolName: 'refund' }),
    );
    expect(call).toMatchObject({ state: 'completed', approval: { decidedBy: 'ana', note: 'fine' } });
  });

  it.each([
    [true, 'Done: order 8 is paid back.', 'output-available'],
    [false, "It can't be paid back: This call was denied: too late", 'output-denied'],
  ])('goes on with the decision that useChat sends (%s)', async (approved, answer, state) => {
    const client = new Client(await createAgent());
    const question = asks('Refund order 8.');
    const asked = structuredClone(await client.send([question]));
    const part = asked?.parts.at(-1);
    Object.assign(part ?? {}, {
      state: 'approval-responded',
      approval: { id: '1', approved, reason: 'too late' },
    });
    const message = await client.send([question, asked as Chat]);
    expect(textOf(message)).toBe(`I look it up.|${answer}`);
    expect(message?.parts.filter(({ type }) => type === 'tool-refund')).toMatchObject([{ state }]);
    expect(message?.id).toBe(asked?.id);
  });

  it('goes on while its reader is away, who comes back by cursor', async () => {
    const client = new Client(await createAgent());
    await client.send([asks('Please count to 150.')], hasCounted(20));
    expect(textOf(client.message).length).toBeLessThan(numbers(150).length);
    for (const seen of [40, 60]) {
      expect(await client.goOn(hasCounted(seen))).toBe(true);
      expect(numbers(150).startsWith(textOf(client.message))).toBe(true);
    }
    expect(await client.goOn()).toBe(true);
    expect(textOf(client.message)).toBe(numbers(150));
    await expectLoaded(client.agentId, client.message);
    expect(await client.goOn()).toBe(false);
  });

  it('is there for a reader who comes back after its end', async () => {
    const client = new Client(await createAgent());
    await client.send([asks('Please count to 40.')], hasCounted(5));
    await expect.poll(async () => (await load(client.agentId)).status).toBe('idle');
    expect(await client.goOn()).toBe(true);
    expect(textOf(client.message)).toBe(numbers(40));
    await expectLoaded(client.agentId, client.message);
  });

  it('begins anew for a page that is loaded anew, also after an approval', async () => {
    const client = new Client(await createAgent());
    await client.send([asks('Please count to 150.')], hasCounted(20));
    const reloaded = new Client(client.agentId);
    expect(await reloaded.replay()).toBe(true);
    expect(textOf(reloaded.message)).toBe(numbers(150));
    await expectLoaded(client.agentId, reloaded.message);

    await client.send([asks('Refund order 9.', 'm2')]);
    await post(`/agents/${client.agentId}/approvals`, { toolCallId: 'call_2', approved: true });
    expect(await reloaded.replay()).toBe(true);
    expect(textOf(reloaded.message)).toBe('I look it up.|Done: order 9 is paid back.');
    await expectLoaded(client.agentId, reloaded.message);
    expect(await reloaded.replay()).toBe(false);
  });

  it('is the same one for a message that is sent again', async () => {
    const client = new Client(await createAgent());
    const question = asks('Please count to 100.');
    const first = client.send([question]);
    await expect.poll(async () => (await load(client.agentId)).status).toBe('running');
    const again = new Client(client.agentId);
    const second = again.send([question]);
    const other = await post(`/agents/${client.agentId}/messages`, { messages: [asks('Hello?', 'm2')] });
    expect([other.status, await other.json()]).toMatchObject([409, { error: 'AGENT_BUSY' }]);
    expect(textOf(await first)).toBe(numbers(100));
    expect(textOf(await second)).toBe(numbers(100));
    const late = new Client(client.agentId);
    expect(textOf(await late.send([question]))).toBe(numbers(100));
    expect([again.message?.id, late.message?.id]).toEqual(['msg-1', 'msg-1']);
    expect((await load(client.agentId)).messages).toHaveLength(2);
  });
});

describe('the server', () => {
  beforeEach(prepare);
  afterEach(cleanUp);

  it('serves many agents at once', async () => {
    await serve();
    const clients = await Promise.all(Array.from({ length: 5 }, async () => new Client(await createAgent())));
    const answers = clients.map((client, i) => client.send([asks(`Please count to ${60 + i}.`)]));
    expect((await Promise.all(answers)).map(textOf)).toEqual([60, 61, 62, 63, 64].map(numbers));
    for (const client of clients) await expectLoaded(client.agentId, client.message);
  });

  it('refuses what it does not understand', async () => {
    await serve();
    const agentId = await createAgent({ agentId: 'known' });
    const messages = `/agents/${agentId}/messages`;
    const file = { type: 'file', mediaType: 'image/png', url: 'http://169.254.169.254/' };
    const refused: [number, string, unknown][] = [
      [400, '/agents', { agentId: '' }],
      [400, '/agents', { agentId: 'a/b' }],
      [400, '/agents', { unknown: 1 }],
      [400, '/agents', []],
      [409, '/agents', { agentId: 'known' }],
      [400, messages, {}],
      [400, messages, { messages: [] }],
      [400, messages, { messages: ['hello'] }],
      [400, messages, { messages: [{ ...asks('Hi'), id: 'x'.repeat(201) }] }],
      [400, messages, { messages: [{ ...asks('Hi'), role: 'system' }] }],
      [400, messages, { messages: [{ ...asks('Hi'), parts: [] }] }],
      [400, messages, { messages: [{ ...asks('Hi'), parts: [{ type: 'text', text: '' }] }] }],
      [400, messages, { messages: [{ ...asks('Hi'), parts: [file] }] }],
      [400, messages, { messages: [asks('Hi')], trigger: 'regenerate-message' }],
      [400, messages, { messages: [{ id: 'a', role: 'assistant', parts: [] }] }],
      [404, '/agents/unknown/messages', { messages: [asks('Hi')] }],
      [400, `/agents/${agentId}/approvals`, { toolCallId: 'call_1', approved: 'yes' }],
      [400, `/agents/${agentId}/approvals`, { toolCallId: 'call_1', approved: true }],
      [404, '/agents/unknown/approvals', { toolCallId: 'call_1', approved: true }],
      [404, `/agents/${agentId}`, {}],
      [404, `/agents/${agentId}/messages/x`, {}],
      [404, '/', {}],
      [413, '/agents', { metadata: { large: 'x'.repeat(1_000_000) } }],
    ];
    for (const [status, path, body] of refused) {
      const response = await post(path, body);
      expect([path, JSON.stringify(body).slice(0, 100), response.status]).toEqual([
        path,
        JSON.stringify(body).slice(0, 100),
        status,
      ]);
      expect(await response.json()).toEqual({ error: expect.any(String), message: expect.any(String) });
    }
    const gets: [number, string][] = [
      [404, '/agents/unknown'],
      [404, '/agents/unknown/stream'],
      [404, '/agents/unknown/stream?since=0'],
      [400, `/agents/${agentId}/stream?since=-1`],
      [400, `/agents/${agentId}/stream?since=x`],
      [400, `/agents/${agentId}/stream?since=`],
      [204, `/agents/${agentId}/stream?since=0`],
      [204, `/agents/${agentId}/stream`],
      [400, '/agents/%E0%A4%A'],
      [404, '/agents/toString/constructor'],
    ];
    for (const [status, path] of gets) {
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, status]);
    }
    const plain = await fetch(`${url}/agents`, { method: 'POST', body: '{}' });
    expect(plain.status).toBe(415);
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect((await fetch(`${url}/agents`, { method: 'POST', headers, body: '{"a' })).status).toBe(400);
    expect((await load(agentId)).messages).toEqual([]);
  });

  it('stores files that come with a message', async () => {
    await serve();
    const client = new Client(await createAgent());
    const question = asks('What is this?');
    question.parts.push({ type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AAAA' });
    await client.send([question]);
    expect((await load(client.agentId)).messages[0]?.parts).toEqual([
      { type: 'text', text: 'What is this?', state: 'done' },
      { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AAAA' },
    ]);
  });

  it('lets a turn end before it leaves, and gives the agent back', async () => {
    await serve();
    const client = new Client(await createAgent());
    let stopped: Promise<void> | undefined;
    await client.send([asks('Please count to 100.')], (message) => {
      if (hasCounted(10)(message)) stopped ??= stop();
      return false;
    });
    expect(textOf(client.message)).toBe(numbers(100));
    await stopped;
    await inStore((store) => store.acquireAgentLock(client.agentId).then((lease) => lease.release()));
    await serve();
    await expectLoaded(client.agentId, client.message);
    expect(textOf(await client.send([asks('Hello?', 'm2')]))).toBe('You said: Hello?');
  });

  it('interrupts a turn that takes too long to end', async () => {
    await serve({ GRACE_MS: '50' });
    const client = new Client(await createAgent());
    let stopped: Promise<void> | undefined;
    await client.send([asks('Please count to 900.')], (message) => {
      if (hasCounted(10)(message)) stopped ??= stop();
      return false;
    });
    await stopped;
    expect(numbers(900).startsWith(textOf(client.message))).toBe(true);
    const [agent] = await inStore((store) => store.querySessions());
    expect(agent).toMatchObject({ status: 'interrupted' });
    const [last] = await inStore((store) => store.queryMessages({ limit: 1 }));
    expect(last).toMatchObject({ role: 'assistant', metadata: { partial: true } });
  });

  it('gives back an agent that nobody uses for a while', async () => {
    await serve({ IDLE_MS: '100' });
    const client = new Client(await createAgent());
    await client.send([asks('Hello?')]);
    await inStore((store) =>
      store.acquireAgentLock(client.agentId, { waitMs: 5_000 }).then((lease) => lease.release()),
    );
    expect(textOf(await client.send([asks('Still there?', 'm2')]))).toBe('You said: Still there?');
  });

  it('says so when another one has the agent, and finishes what that one left', async () => {
    await serve();
    await inStore(async (store) => {
      const messages = [{ role: 'user' as const, content: [{ type: 'text', text: 'Please count to 30.' }] }];
      const info = { templateId: 'shop', status: 'running' as const };
      const lease = await store
        .commit('left', { info: { templateId: 'shop' }, expectedVersion: 0 })
        .then(() => store.acquireAgentLock('left'));
      await store.commit('left', { info, messages, lease });
      const refused = await post('/agents/left/messages', { messages: [asks('Hello?')] });
      expect([refused.status, await refused.json()]).toMatchObject([423, { error: 'LOCK_TIMEOUT' }]);
      await lease.release();
    });
    const client = new Client('left');
    await expect.poll(async () => (await load('left')).status).toBe('idle');
    expect(textOf((await load('left')).messages.at(-1))).toBe(numbers(30));
    expect(await client.replay()).toBe(false);
  });
});
