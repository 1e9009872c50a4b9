import { sha256 } from '../model/crypto.ts';
import type { ReadyTemplate } from './ready-template.ts';
import type { Sdk } from './sdk.ts';
import { inputJsonSchema } from './sdk-tools.ts';
import type { ModelSettings } from './template.ts';
import type { SystemModelMessage } from './translate/model-message.ts';

const toolHashes = new WeakMap<ReadyTemplate['tools'], Promise<string>>();

/** Names the system prompt, tools and settings that a step ran with: equal ones have equal hashes. */
export async function configHash(
  sdk: Sdk,
  template: ReadyTemplate,
  { system, settings }: { system: string | SystemModelMessage[] | undefined; settings: ModelSettings },
): Promise<string> {
  let tools = toolHashes.get(template.tools);
  if (tools === undefined) {
    tools = hashOfTools(sdk, template);
    toolHashes.set(template.tools, tools);
  }
  return hashOf([system ?? null, await tools, settings]);
}

async function hashOfTools(sdk: Sdk, { tools }: ReadyTemplate): Promise<string> {
  const shown = [...tools.values()].map(async (tool) => [
    tool.name,
    tool.source.description ?? null,
    await inputJsonSchema(sdk, tool),
  ]);
  return hashOf(await Promise.all(shown));
}

function hashOf(value: unknown): string {
  return sha256(JSON.stringify(value, sortedKeys)).slice(0, 32);
}

/** The order in which an object's keys were written says nothing. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
