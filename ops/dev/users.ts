/**
 * Registers the users of a local federation: a short-lived process with the gateway's identity, run while the
 * gateway is not, writes them through the registry like any other (their secrets sealed under the owner's key).
 */
import type { DevUser } from './dev-file.ts'
import type { Layout } from './layout.ts'

export async function registerUsers(_request: {
  layout: Layout
  users: readonly DevUser[]
  gatewayConfig: string
}): Promise<void> {
  throw new Error('the registry cannot be reached yet')
}
