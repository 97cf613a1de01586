/** Builds what IAM and STS are served with. */
import type { ClusterClient } from '../../node/client.ts'
import type { Clock, Kms } from '../../node/world.ts'
import type { RegistryCredentials } from '../registry-credentials.ts'
import { SessionKeyring } from '../sts/session-keyring.ts'
import { SessionTokens } from '../sts/session-token.ts'
import { WebIdentities } from '../sts/web-identity.ts'
import type { QueryParts } from './query-action.ts'

export function queryParts(parts: {
  readonly cluster: Pick<ClusterClient, 'router'>
  readonly kms: Kms
  readonly clock: Clock
  readonly credentials: RegistryCredentials
}): QueryParts {
  const { cluster, kms, clock, credentials } = parts
  const registry = cluster.router
  return {
    registry,
    kms,
    credentials,
    sessions: new SessionTokens(new SessionKeyring({ router: registry, kms, clock })),
    webIdentities: new WebIdentities({ clock }),
  }
}
