import { messageOf } from './failure.ts';
import type { KnownTool } from './known-tools.ts';
import type { Sdk } from './sdk.ts';

const schemas = new WeakMap<object, Promise<SdkSchema>>();

/** A schema as the model SDK uses it. */
export interface SdkSchema {
  jsonSchema: unknown;
  validate?: (
    value: unknown,
  ) => PromiseLike<{ success: true; value: unknown } | { success: false; error: Error }>;
}

/** An object without properties: what a tool without a schema takes. */
const NOTHING = { type: 'object', properties: {}, additionalProperties: false } as const;

/**
 * The tools as the model SDK is shown them: without `execute` and `needsApproval`, which would make it run
 * them itself, and with schemas that describe but don't validate. So the input that is stored is what the
 * model wrote, and not what a schema made of it; `parseInput` validates it before each run.
 */
export async function sdkTools(
  sdk: Sdk,
  tools: ReadonlyMap<string, KnownTool>,
): Promise<Record<string, unknown>> {
  const entries = [...tools.values()].map(async (tool): Promise<[string, unknown]> => {
    const { execute, needsApproval, idempotent, timeoutMs, name, ...shown } =
      tool.source as unknown as Record<string, unknown>;
    if (shown.type === 'provider') return [tool.name, shown];
    const { jsonSchema } = await schemaOf(sdk, tool);
    return [tool.name, { ...shown, inputSchema: sdk.jsonSchema((await jsonSchema) as never) }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The input as the tool takes it. Throws with a message that tells the model what is wrong with it. */
export async function parseInput(sdk: Sdk, tool: KnownTool, input: unknown): Promise<unknown> {
  const { validate } = await schemaOf(sdk, tool);
  if (validate === undefined) return input;
  const result = await validate(input);
  if (result.success) return result.value;
  throw new Error(`The input of ${tool.name} isn't valid: ${messageOf(result.error)}`);
}

/** The JSON Schema of a tool's input. */
export async function inputJsonSchema(sdk: Sdk, tool: KnownTool): Promise<unknown> {
  return (await schemaOf(sdk, tool)).jsonSchema;
}

function schemaOf(sdk: Sdk, tool: KnownTool): Promise<SdkSchema> {
  const known = schemas.get(tool.source);
  if (known) return known;
  const given = tool.inputSchema ?? sdk.jsonSchema(NOTHING);
  const schema = Promise.resolve(sdk.asSchema(given as never) as unknown as SdkSchema);
  schemas.set(tool.source, schema);
  return schema;
}
