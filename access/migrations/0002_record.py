"""The record of who did what about access."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0001_tokens'),
    ]

    operations = [
        migrations.CreateModel(
            name='RecordEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('time', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('who', models.CharField(blank=True, help_text="The user's name, as it was.", max_length=150)),
                ('what', models.CharField(choices=[('logged in', 'Logged In'), ('logged out', 'Logged Out'), ('login failed', 'Login Failed'), ('locked out', 'Locked Out'), ('token made', 'Token Made'), ('token revoked', 'Token Revoked'), ('link made', 'Link Made'), ('link revoked', 'Link Revoked'), ('exported', 'Exported'), ('changed', 'Changed')], max_length=20)),
                ('about', models.CharField(blank=True, max_length=500)),
                ('address', models.CharField(blank=True, help_text='Where it came from.', max_length=45)),
            ],
            options={
                'verbose_name': 'record entry',
                'verbose_name_plural': 'record',
                'ordering': ['-id'],
            },
        ),
    ]
