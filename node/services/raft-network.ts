/**
 * Raft's messages over the transport: small ones on the control connection, chunks of snapshots on a bulk one.
 *
 * Best effort, ordered per peer and kind; Raft repeats what is lost and tolerates that a snapshot's chunk and the
 * heartbeats around it change places.
 */
import type { Caller, Handlers } from '../protocol/messages.ts'
import type { RaftPeerNetwork } from './replica.ts'
import { decodeMessages, encodeMessages, type GroupMessage } from './replica-codec.ts'

export function raftNetwork(caller: Caller): RaftPeerNetwork {
  return {
    send(to, messages) {
      const bulk = messages.filter(isBulk)
      const control = bulk.length === 0 ? messages : messages.filter((message) => !isBulk(message))
      if (control.length > 0) caller.send(to, 'raft', { payload: encodeMessages(control) })
      for (const message of bulk) caller.send(to, 'raft-bulk', { payload: encodeMessages([message]) })
    },
  }
}

/** Handlers for both messages; `receive` gets what peers say, whose identity the transport has verified. */
export function raftHandlers(receive: (from: string, messages: readonly GroupMessage[]) => void): Handlers {
  const deliver = async ({ payload }: { payload: Uint8Array }, { from }: { from: string }) => {
    receive(from, decodeMessages(payload))
    return { reply: undefined }
  }
  return { raft: deliver, 'raft-bulk': deliver }
}

function isBulk(message: GroupMessage): boolean {
  return message.message.type === 'snapshot'
}
