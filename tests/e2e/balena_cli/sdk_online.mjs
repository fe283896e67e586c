// What needs a device that answers: the scene names its uuid, its fleet and a service that it runs.
import { refused, test } from './sdk_recorder.mjs';

/** Methods whose promise is kept here. */
export const methods = [
  'models.application.purge', 'models.application.reboot', 'models.application.shutdown', 'models.device.startService',
  'models.device.stopService', 'models.device.restartService', 'logs.history', 'logs.subscribe',
];

async function until(what, condition, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const got = await condition();
    if (got) {
      return got;
    }
    if (Date.now() > end) {
      throw new Error(`not in time: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export async function define({ scene, client, assert }) {
  const ann = await client(scene.ann);
  const { application, device } = ann.models;
  const { uuid, fleet, service } = scene.online;

  /** The running image of the service. */
  async function image_of() {
    const details = await device.getWithServiceDetails(uuid, { $expand: { belongs_to__application: { $select: 'slug' } } });
    const running = details.current_services_by_app[details.belongs_to__application[0].slug]?.[service];
    return running?.find((s) => s.status === 'Running')?.image_id;
  }

  test('device: answers of its agent', async () => {
    assert.equal(await device.isOnline(uuid), true);
    await device.ping(uuid);
    const state = await device.getSupervisorState(uuid);
    assert.match(state.supervisor_version, /^\d+\.\d+\.\d+/);
    assert.ok((await device.getLocalIPAddresses(uuid)).length > 0);
    await device.update(uuid, { force: false });
    await device.identify(uuid);
    assert.ok(await until('a running service', image_of));
  });

  test('device: services are stopped, started and restarted', async () => {
    const image = await until('a running service', image_of);
    await device.stopService(uuid, image);
    await until('the service stopped', async () => !(await image_of()));
    await device.startService(uuid, image);
    await until('the service started', image_of);
    await device.restartService(uuid, image);
    await until('the service runs again', image_of);
    await device.restartApplication(uuid);
    await until('the service runs once more', image_of);
  });

  test('logs: history and what comes live', async () => {
    const history = await until('a line of the service', async () => {
      const rows = await ann.logs.history(uuid, { count: 200 });
      return rows.some((row) => row.serviceId && row.message.includes(scene.online.says)) && rows;
    });
    assert.ok(history.every((row) => typeof row.timestamp === 'number'));
    const logs = await ann.logs.subscribe(uuid, { count: 'all' });
    try {
      await new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error('no line came')), 60000).unref();
        logs.on('error', reject);
        logs.on('line', (line) => line.message.includes(scene.online.says) && resolve());
      });
    } finally {
      logs.unsubscribe();
    }
  });

  test('application: actions reach its devices', async () => {
    await application.purge(fleet);
    await until('the service runs after the purge', image_of);
    await application.restart(fleet);
    await device.purge(uuid);
    // A host that goes down answers again once it is up.
    const downs = [() => application.reboot(fleet), () => application.shutdown(fleet), () => device.reboot(uuid), () => device.shutdown(uuid)];
    for (const down of downs) {
      await until('the device goes down', () => down().then(() => true, () => false));
    }
    const bob = await client(scene.bob);
    await refused(bob.models.device.reboot(uuid), /Device not found/);
  });
}
