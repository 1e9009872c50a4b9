import type {
  AssistantModelMessage,
  createUIMessageStreamResponse,
  ModelMessage as SdkMessage,
  UIMessage as SdkUIMessage,
  UIMessageChunk as SdkUIMessageChunk,
  streamText,
  ToolModelMessage,
} from 'ai';
import { expectTypeOf, it } from 'vitest';
import type { fromModelMessages } from '../../../src/agent/translate/from-model-messages.ts';
import type { ModelMessage, ToolResultOutput } from '../../../src/agent/translate/model-message.ts';
import type { toModelMessages } from '../../../src/agent/translate/to-model-messages.ts';
import type { contentOf } from '../../../src/agent/translate/tool-output.ts';
import type { UIMessage, UIMessageChunk } from '../../../src/agent/translate/ui-message.ts';
import type { toUIMessageStream } from '../../../src/agent/translate/ui-stream.ts';

type SdkOutput = Extract<ToolModelMessage['content'][number], { type: 'tool-result' }>['output'];
type SdkPrompt = NonNullable<Parameters<typeof streamText>[0]['messages']>;
type Taken = Parameters<typeof fromModelMessages>[0];
type SdkStream = Parameters<typeof createUIMessageStreamResponse>[0]['stream'];

it('has types of model messages that fit those of the SDK in both directions', () => {
  expectTypeOf<ModelMessage[]>().toExtend<SdkMessage[]>();
  expectTypeOf<ReturnType<typeof toModelMessages>>().toExtend<SdkPrompt>();
  expectTypeOf<SdkMessage[]>().toExtend<Taken>();
  expectTypeOf<(AssistantModelMessage | ToolModelMessage)[]>().toExtend<Taken>();
  expectTypeOf<ModelMessage[]>().toExtend<Taken>();
  expectTypeOf<ToolResultOutput>().toExtend<SdkOutput>();
  expectTypeOf<SdkOutput>().toExtend<Parameters<typeof contentOf>[0]>();
});

it('has types of UI messages and chunks that the SDK takes', () => {
  expectTypeOf<UIMessage[]>().toExtend<SdkUIMessage[]>();
  expectTypeOf<UIMessageChunk>().toExtend<SdkUIMessageChunk>();
  expectTypeOf<ReturnType<typeof toUIMessageStream>>().toExtend<SdkStream>();
});
