// What a browser has and Node.js of this age has not, and a look at every socket that is opened.
const sockets = [];
const WebSocket = class extends require('ws') {
  constructor(url) {
    super(url);
    sockets.push(this);
    this.on('open', () => onOpened(this));
    this.on('close', (code) => console.log('CLOSED ' + code));
  }
};
