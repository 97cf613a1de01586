/**
 * What a replicated state machine is to the host that feeds it committed entries.
 *
 * Invariant: `apply` is a pure function of its input. Every replica that applies the same entries to the same
 * rows gets the same reply and the same mutations, byte for byte. It never throws for a command that a peer could
 * have sent: a malformed one is answered with BadMessage, an operating error with its code. An exception is a bug
 * or corrupt rows, and stops the process.
 *
 * The host: gives the command as decoded from the log's bytes on every replica (the leader too, so that nothing
 * differs by what MessagePack does not carry), one entry at a time, with `rows` and `scanned` showing the state
 * right after the previous entry; then applies the mutations atomically.
 */
import type { ClusterError, ClusterErrorCode } from '../errors.ts'
import type { Row, RowMutation, RowRange, RowReader } from './rows.ts'

export interface ApplyInput {
  /** Raft's index of the entry; starts at 1, rises by one. */
  readonly index: number
  readonly term: number
  readonly command: unknown
  /**
   * Wall clock of the leader that took the command into its log, ms; part of the entry, so the same on every replica.
   * Undefined: an entry from before leaders stamped them.
   */
  readonly leaderMs: number | undefined
  readonly rows: RowReader
  /** The rows of each range that `scansOf(command)` named, in that order; empty without `scansOf`. */
  readonly scanned: readonly (readonly Row[])[]
}

export interface ApplyOutput {
  /** The reply of the command, or `ErrorReply`. */
  readonly reply: unknown
  /** At most one mutation per key; empty when the reply is an error. */
  readonly mutations: readonly RowMutation[]
}

export interface StateMachine {
  /** Ranges to scan before `apply`; must not throw, whatever the command. Few commands need any. */
  scansOf?(command: unknown): readonly RowRange[]
  apply(input: ApplyInput): ApplyOutput
}

/** An operating error as a deterministic outcome of a command. */
export interface ErrorReply {
  readonly error: {
    readonly code: ClusterErrorCode
    readonly message: string
    readonly details: Readonly<Record<string, unknown>>
  }
}

/** The reply that carries an operating error. The stack and the cause stay here: they differ between replicas. */
export function errorReply({ code, message, details }: ClusterError): ErrorReply {
  return { error: { code, message, details } }
}

/** Whether a reply is an error. */
export function isErrorReply(reply: unknown): reply is ErrorReply {
  return typeof reply === 'object' && reply !== null && 'error' in reply
}
