import type { Agent, TurnStatus } from '../../src/index.ts';

/** What is longer is cut. */
const WIDTH = 150;

/** A line of what really happens, below the sentence that announces it. */
export function say(line: string): void {
  console.log(`   ${line}`);
}

/** What comes next, in plain words. */
export function heading(text: string, ...more: string[]): void {
  console.log(['', text, ...more.map((line) => `   ${line}`)].join('\n'));
}

/** Tells a turn while it happens, and returns how it ended. Without an input it goes on with what is stored. */
export async function narrate(agent: Agent, input?: string): Promise<TurnStatus> {
  if (input !== undefined) await denyWhatCameEarly(agent);
  let status: TurnStatus = 'interrupted';
  let text = '';
  for await (const part of agent.stream(input)) {
    if (part.type === 'text-start') text = '';
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'text-end' && text.trim() !== '') tell('says', text);
    if (part.type === 'tool-call') tell('calls', `${part.toolName} ${JSON.stringify(part.input)}`);
    if (part.type === 'tool-result') tell('gets', JSON.stringify(part.output));
    if (part.type === 'tool-error') tell('fails', part.error);
    if (part.type === 'tool-output-denied') tell('denied', part.toolName);
    if (part.type === 'tool-approval-request') tell('waits', `${part.toolCall.toolName} needs an approval`);
    if (part.type === 'finish') status = part.status;
  }
  return status;
}

/** A real model may ask for a refund before its time: no new input is taken while a call waits. */
async function denyWhatCameEarly(agent: Agent): Promise<void> {
  for (const { toolCallId, callSeq } of await agent.pendingApprovals()) {
    await agent.deny(toolCallId, { by: 'the tour', note: 'this was not asked for', callSeq });
  }
}

/** Says where it happens: each process has its number in front. */
export function tell(what: string, text: string): void {
  const line = `[process ${process.pid}] ${what.padEnd(7)} ${text.trim().replaceAll(/\s*\n\s*/g, ' ')}`;
  say(line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line);
}
