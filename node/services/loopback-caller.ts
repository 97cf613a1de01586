/**
 * Calls to oneself: a node is often a holder or a leader of what it asks for; such a request never touches the network.
 */
import { ClusterError } from '../errors.ts'
import type { Answer, Caller, Handlers, MessageName, Requests } from '../protocol/messages.ts'

/** Dispatches calls to `selfId` to `handlers`, all others to `remote`. */
export function withLoopback(remote: Caller, selfId: string, handlers: Handlers): Caller {
  return {
    async call<M extends MessageName>(
      to: string,
      message: M,
      request: Requests[M],
      options: Parameters<Caller['call']>[3] = {},
    ): Promise<Answer<M>> {
      if (to !== selfId) return remote.call(to, message, request, options)
      const handler = handlers[message]
      if (handler === undefined) throw new ClusterError('BadMessage', `${selfId} does not serve ${message}`)
      const body = options.body === undefined ? undefined : Buffer.concat(options.body)
      const answer = await handler(request, { from: selfId, body })
      return { reply: answer.reply, body: answer.body === undefined ? undefined : Buffer.concat(answer.body) }
    },
    send(to, message, request) {
      if (to !== selfId) remote.send(to, message, request)
    },
  }
}
