import { chunksOf } from '../provider/frames.ts';
import { answersIn, type RecordedRequest, type Script, type StreamedAnswer } from '../provider/provider.ts';
import { FINAL, TOOLS } from './life.ts';

/** Which of the model's two answers. */
export type Step = 0 | 1;

/** An answer that stops in the middle, after this many deltas. */
export interface Hang {
  step: Step;
  deltas: number;
}

const usage = { inputTokens: 10, outputTokens: 5 };

const ANSWERS: Record<Step, StreamedAnswer> = {
  0: {
    pieces: [
      { text: 'I will write them, one by one.' },
      ...TOOLS.map((call) => ({ call, input: { line: `${call} 1` } })),
    ],
    chunkSize: 10,
    usage,
  },
  1: { pieces: [{ text: FINAL }], chunkSize: 10, usage },
};

/** The pieces in which an answer streams. */
export function deltasOf(step: Step): string[] {
  const answer = ANSWERS[step];
  return answer.pieces.flatMap((piece) =>
    chunksOf('text' in piece ? piece.text : JSON.stringify('input' in piece ? piece.input : {}), answer),
  );
}

/** The answer to a prompt: the same one to the same prompt, whoever asks. */
export function answerTo(request: RecordedRequest): { step: Step; answer: StreamedAnswer } {
  const step = answersIn(request);
  if (step !== 0 && step !== 1) throw new Error(`The conversation has ${step} answers, and goes on.`);
  return { step, answer: ANSWERS[step] };
}

/** Who asks again gets the whole answer. */
export function script(hang?: Hang): Script {
  let hanging = hang;
  return (request) => {
    const { step, answer } = answerTo(request);
    if (step !== hanging?.step) return answer;
    const { deltas } = hanging;
    hanging = undefined;
    return { ...answer, hangAfter: deltas };
  };
}
