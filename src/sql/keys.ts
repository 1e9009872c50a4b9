/** The integer keys of an agent, which never change and are never given out twice. */
export interface AgentKeys {
  /** An agent with all its forks: what one agent does stays within one. */
  readonly tree: number;
  readonly agent: number;
}
