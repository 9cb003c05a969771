// For `make bench`: the same as baseline.php, in Node. node fastify.js SOCKET REDIS; two processes share the socket.
const cluster = require('cluster');
const crypto = require('crypto');
const [socket, redisSocket] = process.argv.slice(2);
if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
} else {
  const redis = new (require('ioredis'))(redisSocket);
  const app = require('fastify')();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
  app.get('/woo-order/health', async () => ({ status: 'ok' }));
  app.post('/woo-order', async (request, reply) => {
    const right = crypto.createHmac('sha256', 'my_super_secret_woo_key').update(request.body).digest();
    const sent = Buffer.from(request.headers['x-wc-webhook-signature'] || '', 'base64');
    if (sent.length !== right.length || !crypto.timingSafeEqual(sent, right)) return reply.code(401).send({ error: 'Invalid Signature' });
    await redis.get('bench:1');
    return { status: 'skipped', reason: 'duplicate' };
  });
  app.listen({ path: socket });
}
