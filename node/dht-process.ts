/**
 * The DHT process: seeds of the federation's own DHT, with an admin server beside them.
 */
import type { DhtConfig } from './config.ts'
import { AdminServer } from './io/admin-server.ts'
import { startDhtSeed } from './io/dht.ts'
import type { RunningProcess } from './io/process-life.ts'
import { Metrics } from './metrics.ts'
import { version } from './version.ts'

export async function startDhtProcess(config: DhtConfig): Promise<RunningProcess> {
  const metrics = new Metrics({ process: 'dht', nodeId: 'dht', version })
  const admin = new AdminServer({ registry: metrics.registry })
  const seed = await startDhtSeed({ listen: config.listen })
  admin.addRoute('/status', () => ({ nodeId: 'dht', nodes: seed.nodes() }))
  const listen = seed.address
  return {
    ready: { listen, admin: await admin.listen(config.admin) },
    close: async () => {
      await admin.close()
      await seed.close()
    },
  }
}
