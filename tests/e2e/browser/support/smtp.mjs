// An SMTP server that keeps what it is given: enough of RFC 5321 to be handed mail, and of MIME to read it.
import { createServer } from 'node:net';
import { until } from './controller.mjs';

export async function startMailbox() {
  const mails = [];
  const server = createServer((socket) => session(socket, (mail) => mails.push(mail)));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    mails,
    /** The link of the next mail to this address; one that was given is not given again. */
    async link(to) {
      const mail = await until(`a mail to ${to}`, 20, () => mails.find((one) => !one.read && one.to.includes(to)));
      mail.read = true;
      const [link] = /https?:\/\/\S+[#?]token=[\w-]+/.exec(mail.text) ?? [];
      if (!link) throw new Error(`no link in the mail to ${to}:\n${mail.text}`);
      return link;
    },
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

function session(socket, deliver) {
  let pending = '';
  let envelope = { to: [] };
  let inData = false;
  const say = (line) => socket.write(`${line}\r\n`);
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (data) => {
    pending += data;
    for (;;) {
      const mark = inData ? '\r\n.\r\n' : '\r\n';
      const end = pending.indexOf(mark);
      if (end < 0) return;
      const taken = pending.slice(0, end);
      pending = pending.slice(end + mark.length);
      if (inData) {
        inData = false;
        deliver({ ...envelope, text: textOf(taken.replace(/^\.\./gm, '.')) });
        envelope = { to: [] };
        say('250 kept');
      } else command(taken);
    }
  });
  const command = (line) => {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'RCPT') envelope.to.push(/<([^>]*)>/.exec(line)[1].toLowerCase());
    if (verb === 'QUIT') {
      say('221 bye');
      socket.end();
    } else if (verb === 'DATA') {
      inData = true;
      say('354 go on');
    } else say(['EHLO', 'HELO'].includes(verb) ? '250 mailbox' : '250 well');
  };
  say('220 mailbox');
}

/** The plain text of a message. */
function textOf(message) {
  const split = message.indexOf('\r\n\r\n');
  const head = message.slice(0, split).replace(/\r\n[ \t]+/g, ' ');
  const body = message.slice(split + 4);
  const header = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(head)?.[1] ?? '';
  const boundary = /boundary="?([^";]+)"?/i.exec(header('content-type'))?.[1];
  if (boundary) {
    const parts = body.split(`--${boundary}`).slice(1, -1).map((part) => part.replace(/^\r\n/, ''));
    return textOf(parts.find((part) => /text\/plain|multipart/i.test(part.split('\r\n\r\n')[0])) ?? '');
  }
  const coding = header('content-transfer-encoding').toLowerCase();
  if (coding.includes('base64')) return Buffer.from(body, 'base64').toString('utf8');
  if (!coding.includes('quoted-printable')) return Buffer.from(body, 'latin1').toString('utf8');
  const bytes = body.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
