import { KodeError, quoted } from '../errors.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';

/** The agent waits for decisions: `calls` says on which. Decide each, then call `run()`. */
export class ApprovalRequiredError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;
  /** The calls that wait, in the order of `callSeq`. */
  readonly calls: readonly ToolCallRecord[];

  constructor(agentId: string, calls: readonly ToolCallRecord[]) {
    const names = calls.map((call) => `${quoted(call.toolName)} (${quoted(call.toolCallId)})`).join(', ');
    super(
      'APPROVAL_REQUIRED',
      `Agent "${agentId}" waits for a decision on ${names}. Decide with approve() or deny(), or with the store's decideApproval(), then go on with run().`,
    );
    this.agentId = agentId;
    this.calls = calls;
  }
}

/** Another turn of this agent is under way, or too many wait for it to end. */
export class AgentBusyError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  constructor(agentId: string, waiting = 0) {
    super(
      'AGENT_BUSY',
      waiting === 0
        ? `Agent "${agentId}" is in the middle of a turn. Wait for it, stop it with interrupt(), or pass { whenBusy: 'queue' }.`
        : `${waiting} turns of agent "${agentId}" wait already, which is as many as may. Wait for some of them to end.`,
    );
    this.agentId = agentId;
  }
}

/** The call came after `agent.close()`. */
export class AgentClosedError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  constructor(agentId: string) {
    super('AGENT_CLOSED', `This agent object is closed. Open "${agentId}" again with Agent.resume().`);
    this.agentId = agentId;
  }
}

/** The turn was stopped by its signal or by `interrupt()`. What had arrived is stored. */
export class TurnInterruptedError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  constructor(agentId: string) {
    super(
      'TURN_INTERRUPTED',
      `The turn of agent "${agentId}" was interrupted before its answer was complete. Go on with run(), or send something else.`,
    );
    this.agentId = agentId;
  }
}

/**
 * Whoever reads the parts of `agent.stream()` is too far behind. The turn goes on, and everything in it is
 * stored: `followAgent` gives the parts from any cursor on.
 */
export class SlowReaderError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  constructor(agentId: string, unread: number) {
    super(
      'SLOW_READER',
      `${unread} parts of a turn of agent "${agentId}" have come that nobody read, which is as many as are kept. The turn goes on: read faster, or follow it with followAgent().`,
    );
    this.agentId = agentId;
  }
}

/** The model still called tools after as many steps as the template allows. */
export class MaxStepsError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  constructor(agentId: string) {
    super(
      'MAX_STEPS',
      `The turn of agent "${agentId}" ended without an answer after as many steps as its template allows. Go on with run(), or raise the template's maxSteps.`,
    );
    this.agentId = agentId;
  }
}

/** The agent was made and is stored, but couldn't be opened; `cause` says why. `Agent.resume(agentId)` goes on. */
export class AgentNotOpenedError extends KodeError {
  /** The agent that was made. */
  readonly agentId: string;

  constructor(agentId: string, reason: string, options?: { cause?: unknown }) {
    super(
      'AGENT_NOT_OPENED',
      `Agent "${agentId}" was made and is stored, but couldn't be opened: ${reason.replace(/\.$/, '')}. Open it with Agent.resume("${agentId}"), or remove it with the store's delete().`,
      options,
    );
    this.agentId = agentId;
  }
}

/** The model's call failed. What was committed before stays, and `run()` asks again. `cause` is the SDK's error. */
export class ModelError extends KodeError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('MODEL_FAILED', message, options);
  }
}
