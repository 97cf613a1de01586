/** The events that the catalog groups of a cluster keep. */
import type { ClusterClient } from '../../node/client.ts'
import type { EventSource } from './event-delivery.ts'

/** `newRequestId`: names each command in the journal. */
export function clusterEvents(cluster: ClusterClient, newRequestId: () => string): EventSource {
  const { router } = cluster
  return {
    groups: () => cluster.catalogGroups(),
    list: async (groupId, page) =>
      (await router.queryCatalog(groupId, { kind: 'list-events', ...page })).events,
    forget: async (groupId, eventIds) => {
      await router.proposeCatalog(groupId, newRequestId(), { kind: 'forget-events', eventIds })
    },
  }
}
