// The server closes the first socket, for a message that is too large; the second one is made by the example.
function onOpened(socket) {
  console.log('OPENED ' + sockets.length);
  if (sockets.length === 1) socket.send('x'.repeat(2 << 20));
  else process.exit(0);
}
connect();
