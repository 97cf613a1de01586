/** Owners as XML writes them. Display names are known for the caller only; others show their id. */
import type { Identity } from '../auth/identity.ts'
import { element, wrap } from './xml.ts'

export function owner(name: 'Owner' | 'Initiator', ownerId: string, caller: Identity): string {
  const displayName = ownerId === caller.accountId ? caller.userName : ownerId
  return wrap(name, element('ID', ownerId), element('DisplayName', displayName))
}
