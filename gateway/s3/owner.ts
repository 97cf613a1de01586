/** Owners as XML writes them. Display names are known for the caller, and for an account at hand; others show their id. */
import type { Account } from '../accounts.ts'
import type { Identity } from '../auth/identity.ts'
import { element, wrap } from './xml.ts'

export function owner(
  name: 'Owner' | 'Initiator',
  ownerId: string,
  caller: Identity,
  account?: Account | undefined,
): string {
  const known = account?.accountId === ownerId ? account.displayName : undefined
  const displayName = known ?? (ownerId === caller.accountId ? caller.userName : ownerId)
  return wrap(name, element('ID', ownerId), element('DisplayName', displayName))
}
