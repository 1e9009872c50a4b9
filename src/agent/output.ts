import { ModelError } from './errors.ts';
import { messageOf } from './failure.ts';
import { loadSdk } from './sdk.ts';

/** The answer as the object that the caller asked for. The conversation keeps it as text either way. */
export async function parseOutput(text: string, schema: unknown): Promise<unknown> {
  const { asSchema } = await loadSdk();
  const { validate } = asSchema(schema as never);
  try {
    const value: unknown = JSON.parse(text);
    if (validate === undefined) return value;
    const result = await validate(value);
    if (result.success) return result.value;
    throw result.error;
  } catch (cause) {
    throw new ModelError(
      `The answer isn't what the output's schema asks for: ${messageOf(cause)}. It is stored as text; ask again, or ask for a correction.`,
      { cause },
    );
  }
}
