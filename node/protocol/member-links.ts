/**
 * The seam between the swarm (io/swarm.ts) and what members tell each other over it (services/member-service.ts).
 */

/** One connection to an admitted member, for small messages. */
export interface MemberLink {
  readonly nodeId: string
  send(message: Uint8Array): void
  close(reason: Error): void
}

export interface MemberLinkListener {
  opened(link: MemberLink): void
  message(link: MemberLink, bytes: Uint8Array): void
  closed(link: MemberLink): void
}

export interface MemberLinks {
  /** Set once, before the first `search`. */
  listen(listener: MemberLinkListener): void
  /** Announces this node and looks for others; resolves when the query ends, never rejects. */
  search(): Promise<void>
}
