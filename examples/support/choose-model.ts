import type { LanguageModel } from '../../src/index.ts';
import { type Script, scriptedModel } from './scripted-model.ts';

/**
 * The model to run an example with: Anthropic's or OpenAI's when there is a key for it in the environment,
 * else one that follows the example's script. KODE_MODEL names another model of the same provider.
 */
export async function chooseModel(
  script: Script,
  say: (line: string) => void = console.log,
): Promise<LanguageModel> {
  const { ANTHROPIC_API_KEY, OPENAI_API_KEY, KODE_MODEL } = process.env;
  if (ANTHROPIC_API_KEY) {
    const { anthropic } = await import('@ai-sdk/anthropic');
    const id = KODE_MODEL || 'claude-sonnet-5-5';
    say(`Model: ${id} of Anthropic, because ANTHROPIC_API_KEY is set.`);
    return anthropic(id);
  }
  if (OPENAI_API_KEY) {
    const { openai } = await import('@ai-sdk/openai');
    const id = KODE_MODEL || 'gpt-5.4-mini';
    say(`Model: ${id} of OpenAI, because OPENAI_API_KEY is set.`);
    return openai(id);
  }
  say('Model: a script, which needs no key. Set ANTHROPIC_API_KEY or OPENAI_API_KEY for a real one.');
  return scriptedModel(script);
}
