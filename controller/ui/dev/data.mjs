// State of the mock server: enough made-up servers, instances and jobs to look at every page.
import { randomUUID } from 'node:crypto';

const GiB = 1024 ** 3;
export const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
export const now = () => new Date().toISOString();

export function sample(seed, at = Date.now()) {
  const wave = (period, low, high) => low + ((Math.sin(at / 1000 / period + seed * 7) + 1) / 2) * (high - low);
  const noise = Math.random();
  const whole = (n) => Math.round(n);
  return {
    at: new Date(at).toISOString(),
    cpu_percent: Math.min(100, wave(400, 4, 12 + seed * 9) + noise * 6),
    load_1m: wave(500, 0.2, 2.5), load_5m: wave(900, 0.3, 2), load_15m: wave(1800, 0.4, 1.6),
    memory_total_bytes: 16 * GiB, memory_used_bytes: whole(wave(3000, 5, 6 + seed) * GiB),
    memory_available_bytes: whole((16 - wave(3000, 5, 6 + seed)) * GiB), swap_used_bytes: whole(0.2 * GiB),
    disk_total_bytes: 200 * GiB, disk_used_bytes: (40 + seed * 17) * GiB,
    disk_read_bytes_per_second: whole(noise * 3e6), disk_write_bytes_per_second: whole(wave(200, 1e5, 9e6)),
    network_rx_bytes_per_second: whole(wave(300, 2e4, 4e6) + noise * 4e5), network_tx_bytes_per_second: whole(wave(250, 1e4, 1e6)),
    containers_running: 9, containers_total: 11, processes: 214, uptime_seconds: 912_345,
    agent_memory_bytes: whole(9.4 * 1024 * 1024),
  };
}

function facts(name, docker = true) {
  return {
    hostname: name, os_name: 'Debian GNU/Linux', os_version: '12', kernel: '6.1.0-28-amd64', arch: 'x86_64',
    cpu_model: 'AMD EPYC 7543P', cpu_cores: 4, memory_total_bytes: 16 * GiB, swap_total_bytes: 2 * GiB,
    disk_total_bytes: 200 * GiB, boot_time: ago(912_345), timezone: 'Europe/Paris',
    addresses: ['203.0.113.' + name.length, '2001:db8::' + name.length], systemd: true, agent_version: '0.1.0',
    docker: docker
      ? { available: true, version: '27.4.1', api_version: '1.47', storage_driver: 'overlay2', problem: null }
      : { available: false, problem: 'The socket /var/run/docker.sock refuses connections. Start it with: systemctl start docker' },
  };
}

export function makeServer(name, status, seed, extra = {}) {
  const fresh = status === 'pending';
  return {
    id: randomUUID(), name, description: '', labels: {}, schedulable: true, status, status_reason: null,
    install_stage: fresh ? null : 'docker',
    install_stages: fresh ? [] : ['fetched', 'verified', 'enrolled', 'tunnel', 'docker'].map((stage, i) => ({ stage, at: ago(9e5 - i * 2) })),
    install_problem: null, facts: fresh ? null : facts(name, status !== 'degraded'), agent_version: fresh ? null : '0.1.0',
    last_seen_at: fresh ? null : ago(status === 'offline' ? 5400 : 4), usage: fresh ? null : sample(seed), instances_count: 0,
    version: 1, created_at: ago(9e5), updated_at: ago(300), seed, ...extra,
  };
}

export function makeInstance(name, server, status, extra = {}) {
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const id = randomUUID();
  server.instances_count += 1;
  return {
    id, name, slug, project_id: randomUUID(), environment_id: randomUUID(), environment_type: 'production',
    server_id: server.id, server_name: server.name, odoo_version: '18.0', image: 'odoo:18', image_digest: 'sha256:4f1c9a7be2d05581',
    status, status_reason: null, desired_state: status === 'stopped' ? 'stopped' : 'running',
    health: status === 'running' ? 'healthy' : 'unknown', url: status === 'running' ? `http://203.0.113.7:2000${server.seed}` : null,
    http_port: 20000, bind_address: '0.0.0.0', admin_login: 'admin@acme.example', language: 'fr_FR', country: 'FR', demo_data: false,
    modules: ['sale_management', 'stock'], limits: { cpus: 2, memory_mb: 2048 }, env: {}, labels: { customer: slug.split('-')[0] },
    database_name: slug.replace(/-/g, '_'), active_job_id: null, last_job_id: null, container_id: status === 'pending' ? null : 'c0ffee123456',
    version: 1, created_at: ago(86400 * 12), updated_at: ago(3600), ...extra,
  };
}

const STEPS = [
  ['check_server', 'Check the server'], ['pull_image', 'Pull the images'], ['start_database', 'Start the database'],
  ['init_database', 'Make the database and install modules'], ['start_odoo', 'Start Odoo'], ['wait_healthy', 'Wait for its first answer'],
];

export function makeJob(kind, instance, status, extra = {}) {
  const steps = STEPS.map(([name, title], i) => ({
    name, title, status: status === 'succeeded' ? 'succeeded' : 'pending',
    started_at: status === 'succeeded' ? ago(400 - i * 20) : null, finished_at: status === 'succeeded' ? ago(392 - i * 20) : null,
    progress: null, message: null,
  }));
  return {
    id: randomUUID(), kind, status, organization_id: 'org', server_id: instance.server_id, instance_id: instance.id, parent_id: null,
    subject: { type: 'instance', id: instance.id, name: instance.name }, steps, attempts: 1, waiting: false, version: 1, result: null, failure: null,
    cancel_requested: false, created_at: ago(405), started_at: ago(402), finished_at: status === 'succeeded' ? ago(280) : null,
    deadline_at: null, created_by: { type: 'user', id: 'u', name: 'Ada Martin' }, log: [], ...extra,
  };
}

export function containersOf(instances) {
  const list = instances.flatMap((i) => [
    { name: `ocore-${i.slug}-odoo`, image: i.image, ports: ['0.0.0.0:20000->8069/tcp'], health: 'healthy', instance: i.id },
    { name: `ocore-${i.slug}-db`, image: 'postgres:16', ports: [], health: 'healthy', instance: i.id },
  ]);
  list.push({ name: 'traefik', image: 'traefik:3', ports: ['0.0.0.0:80->80/tcp'] }, { name: 'old-cron', image: 'alpine:3.20', state: 'exited' });
  return list.map((c) => ({
    id: randomUUID().replace(/-/g, ''), name: c.name, image: c.image, state: c.state ?? 'running', health: c.health ?? null,
    exit_code: c.state === 'exited' ? 137 : null, created_at: ago(9e5), started_at: ago(8e4), finished_at: null, ports: c.ports ?? [],
    managed: Boolean(c.instance), labels: c.instance ? { 'sh.ocore.instance': c.instance } : {},
  }));
}

const WORDS = ['GET /web/health 200', 'POST /web/dataset/call_kw/sale.order/web_search_read 200', 'Will use the Wkhtmltopdf binary', 'Registry loaded in 1.9 s', 'Job Base: Auto-vacuum internal data done'];
export function odooLine(n, at = Date.now()) {
  const level = n % 41 === 0 ? 'ERROR' : n % 13 === 0 ? 'WARNING' : n % 29 === 0 ? 'DEBUG' : 'INFO';
  const color = { ERROR: 31, WARNING: 33, DEBUG: 34, INFO: 32 }[level];
  return {
    cursor: `c0ffee123456:${at}:${n}`, at: new Date(at).toISOString(), stream: 'stderr', level,
    text: `\u001b[1;${color}m${level}\u001b[0m acme odoo.http: ${WORDS[n % WORDS.length]} - line ${n}`,
  };
}
