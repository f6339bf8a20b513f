// The files of every instance: one tree, in memory. Uploads in parts are not played.
import { ago, now } from './data.mjs';

const file = (content, mode = '0644') => ({ type: 'file', content, mode, modified_at: ago(4e4), etag: 1 });
const tree = new Map(Object.entries({
  'addons': null,
  'addons/acme_labels': null,
  'addons/acme_labels/models': null,
  'addons/acme_labels/__init__.py': file('from . import models\n'),
  'addons/acme_labels/__manifest__.py': file("{\n    'name': 'Acme: labels',\n    'version': '18.0.1.4.0',\n    'depends': ['stock'],\n    'data': ['views/label_views.xml'],\n    'license': 'LGPL-3',\n}\n"),
  'addons/acme_labels/models/label.py': file("from odoo import fields, models\n\n\nclass Label(models.Model):\n    _name = 'acme.label'\n    _description = 'Label'\n\n    name = fields.Char(required=True)\n    width = fields.Float(help='Millimetres')\n"),
  'addons/price_list_2026.csv': file('sku,price\n'.repeat(40_000)),
  'addons/empty': null,
  'config': null,
  'config/odoo.conf': file('[options]\nadmin_passwd = ********\ndb_host = postgres\nworkers = 5\n', '0600'),
  'filestore': null,
  'filestore/3f': null,
  'sources': null,
}));
const refused = (status, code, message) => ({ status, body: { error: { code, message } } });
const name = (path) => path.split('/').pop();
const parent = (path) => path.split('/').slice(0, -1).join('/');
const below = (path) => [...tree.keys()].filter((other) => other === path || other.startsWith(`${path}/`));
function info(path) {
  const found = tree.get(path);
  const writable = path === 'addons' || path.startsWith('addons/');
  if (!found) return { name: name(path), path, type: 'directory', size: 0, mode: '0755', modified_at: ago(9e4), writable };
  return { name: name(path), path, type: 'file', size: found.content.length, mode: found.mode, modified_at: found.modified_at, etag: String(found.etag), writable };
}

export function fileAnswer(method, url, sub, body, match, page) {
  const path = url.searchParams.get('path') ?? '';
  if (sub === 'mkdir' || sub === 'move') {
    const to = body.path ?? body.to;
    if (tree.has(to)) return refused(409, 'file_exists', `${to} is there already; say overwrite to replace a file.`);
    if (sub === 'mkdir') tree.set(to, null);
    else below(body.from).forEach((old) => { tree.set(to + old.slice(body.from.length), tree.get(old)); tree.delete(old); });
    return { status: sub === 'mkdir' ? 201 : 200, body: info(to) };
  }
  if (sub === 'content' && method === 'PUT') {
    const before = tree.get(path);
    if (match && before && match !== `"${before.etag}"`) return refused(412, 'precondition_failed', `${path} has changed meanwhile; read it again, then retry.`);
    tree.set(path, { ...file(body.content), etag: (before?.etag ?? 0) + 1, modified_at: now() });
    return { body: info(path) };
  }
  if (path && !tree.has(path)) return refused(404, 'not_found', 'There is no such file, or it is not visible with these credentials.');
  if (sub === 'content') return { body: { ...info(path), content: tree.get(path).content } };
  if (method === 'DELETE') {
    const gone = below(path);
    if (url.searchParams.get('dry_run') !== 'true') gone.forEach((other) => tree.delete(other));
    const files = gone.filter((other) => tree.get(other));
    return { body: { files: files.length, directories: gone.length - files.length, bytes: files.reduce((sum, other) => sum + tree.get(other).content.length, 0) } };
  }
  return { body: page([...tree.keys()].filter((other) => parent(other) === path).sort().map(info), url) };
}
